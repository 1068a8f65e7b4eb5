# muster-script: inspect 2
#
# Writes into the log what CWMP cannot tell: the packages on this board, its RouterBOOT, its
# device-mode. Muster then has the log sent to it. Changes nothing, and may run as often as one likes.
# For RouterOS 6 and 7; needs neither fetch nor scheduler, which device-mode "home" forbids.
# Not verified on real hardware.
{
    :local mark "muster-inspect: "
    # Muster puts a word here that is new with each order: an older report, or one that somebody else
    # has written, is not taken for the answer.
    :local nonce "@@@@@NONCE@@@@@@"
    # The bar at the end of each line shows that nothing of the line is missing.
    :log info ($mark . "begin=2/" . $nonce . "|")

    :local count 0
    :foreach entry in=[/system package find] do={
        :do {
            :local title [:tostr [/system package get $entry name]]
            # From 7.18 on, packages that could be fetched are listed too: these have no version.
            :local release ""
            :do { :set release [:tostr [/system package get $entry version]] } on-error={}
            :local state "on"
            :do {
                :if ([/system package get $entry disabled]) do={ :set state "off" }
            } on-error={}
            :if ([:len $release] > 0) do={
                :set count ($count + 1)
                :log info ($mark . "package=" . $title . "/" . $release . "/" . $state . "|")
            }
        } on-error={
            # Counted, though not named: a report with a package missing must not look whole.
            :set count ($count + 1)
        }
    }

    # Not all of these menus are on every board and in every version. A script that names a menu
    # which is not there is refused as a whole; a text that is parsed when its turn comes is not.
    :local questions [:toarray ""]
    :set ($questions->"arch") "/system resource get architecture-name"
    :set ($questions->"board") "/system routerboard get model"
    :set ($questions->"board-name") "/system resource get board-name"
    :set ($questions->"booter-current") "/system routerboard get current-firmware"
    :set ($questions->"booter-upgrade") "/system routerboard get upgrade-firmware"
    :set ($questions->"mode") "/system device-mode get mode"
    :set ($questions->"allowed") "/system device-mode get allowed-versions"
    :set ($questions->"any") "/system device-mode get install-any-version"
    :foreach word,question in=$questions do={
        :do {
            :local ask [:parse (":return [:tostr [" . $question . "]]")]
            :local answer [$ask]
            :if ([:len $answer] > 0) do={ :log info ($mark . $word . "=" . $answer . "|") }
        } on-error={}
    }

    # The number of packages, since a log keeps only its newest lines.
    :log info ($mark . "end=" . $count . "/" . $nonce . "|")
}
