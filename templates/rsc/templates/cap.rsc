# Muster Quickset: CAP. May run again. RouterOS 7; not verified on hardware.
# An access point whose radios a CAPsMAN looks after: names, passwords and channels are that one's.
#part system
#part bridge

# Wireless
{
    # Which menu the radios are in depends on their driver. A script that names a menu which is not
    # there is refused as a whole; a text that is parsed when its turn comes is not.
    :local wifi 0
    :local wlan 0
    :do {
        :local count [:parse ":return [:len [/interface wifi find where default-name~\"wifi\"]]"]
        :set wifi [$count]
    } on-error={}
    :do {
        :local count [:parse ":return [:len [/interface wireless find where default-name~\"wlan\"]]"]
        :set wlan [$count]
    } on-error={}
    :if ($wifi > 0) do={
        :local apply [:parse (":if ([:len [/interface wifi datapath find where name=\"quickset\"]]=0) do={ /interface wifi datapath add name=\"quickset\" bridge=bridge }; " . \
            ":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ /interface wifi set \$i configuration.manager=capsman datapath=\"quickset\" disabled=no }; " . \
            "/interface wifi cap set enabled=yes discovery-interfaces=bridge slaves-datapath=\"quickset\" caps-man-addresses=\$managers ")]
        $apply managers={% if caps_man_addresses %}{{ caps_man_addresses | join(sep=",") }}{% else %}""{% endif %}
    }
    :if ($wlan > 0) do={
        :local apply [:parse (":local names \"\"; " . \
            ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ :if ([:len \$names] > 0) do={ :set names (\$names . \",\") }; :set names (\$names . [/interface wireless get \$i name]) }; " . \
            "/interface wireless cap set enabled=yes interfaces=\$names bridge=bridge discovery-interfaces=bridge caps-man-addresses=\$managers ")]
        $apply managers={% if caps_man_addresses %}{{ caps_man_addresses | join(sep=",") }}{% else %}""{% endif %}
    }
    :if (($wifi + $wlan) = 0) do={ :log warning "muster-quickset: this board has no radios that work" }
}
