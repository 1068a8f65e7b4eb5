    # Which menu the radios are in depends on their driver. A script that names a menu which is not
    # there is refused as a whole; a text that is parsed when its turn comes is not.
    :local radios [:toarray ""]
    :local driver ""
    :do {
        :local names [:parse (":local all [:toarray \"\"]; " . \
            ":foreach i in=[/interface wireless find where default-name~\"^wlan\"] do={ :set all (\$all, [/interface wireless get \$i name]) }; :return \$all")]
        :set radios [$names]
        :set driver "wlan"
    } on-error={}
    :if ([:len $radios] = 0) do={
        :do {
            :local names [:parse (":local all [:toarray \"\"]; " . \
                ":foreach i in=[/interface wifi find where default-name~\"^wifi\"] do={ :set all (\$all, [/interface wifi get \$i name]) }; :return \$all")]
            :set radios [$names]
            :set driver "wifi"
        } on-error={}
    }
    :if ([:len $radios] = 0) do={
        :local old 0
        :do {
            :local count [:parse ":return [:len [/interface wifiwave2 find where default-name~\"^wifi\"]]"]
            :set old [$count]
        } on-error={}
        :if ($old > 0) do={
            :log error "muster-quickset: radios of wifiwave2 are not set: bring this board to RouterOS 7.13 or later"
            # There is none of this name: it fails, and so is told.
            /interface get "radios of wifiwave2" name
        }
        :log warning "muster-quickset: this board has no radios that work"
    }
