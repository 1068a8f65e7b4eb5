# muster-script: routerboot 1
#
# Writes the RouterBOOT that the installed RouterOS brings into the flash, where another one runs. It
# takes effect at the next start, which Muster orders by itself. Where RouterBOOT is up to date, or
# the board has none, nothing is changed; so it may run twice.
# For RouterOS 6 and 7. Not verified on real hardware.
{
    :local mark "muster-routerboot: "
    :local current ""
    :local upgrade ""
    # CHR and PCs do not have the menu. A script that names a menu which is not there is refused as a
    # whole; a text that is parsed when its turn comes is not.
    :do {
        :local ask [:parse ":return [:tostr [/system routerboard get current-firmware]]"]
        :set current [$ask]
        :set ask [:parse ":return [:tostr [/system routerboard get upgrade-firmware]]"]
        :set upgrade [$ask]
    } on-error={
        :log warning ($mark . "this board has no RouterBOOT")
    }
    :if ([:len $upgrade] > 0) do={
        :if ($current = $upgrade) do={
            :log info ($mark . $current . " is up to date")
        } else={
            :do {
                # Asks nobody when a script runs it.
                :local flash [:parse "/system routerboard upgrade"]
                $flash
                :log info ($mark . $current . " becomes " . $upgrade . " at the next start")
            } on-error={
                :log warning ($mark . "could not write " . $upgrade . "; " . $current . " stays")
            }
        }
    }
}
