# Muster Quickset: CAP. May run again. RouterOS 7; not verified on hardware.
# An access point whose radios a CAPsMAN looks after: names, passwords and channels are that one's.
#part system
#part bridge

# Wireless
{
#part radios
    :local managers {% if caps_man_addresses %}{{ caps_man_addresses | join(sep=",") }}{% else %}""{% endif %}
    :foreach radio in=$radios do={
        /interface bridge port remove [find where interface=$radio dynamic=no]
        # The CAPsMAN makes it a port of the bridge, which has nothing of its own.
        /ip dhcp-client remove [find where interface=$radio comment="quickset"]
        /ip dhcp-client set [find where interface=$radio] disabled=yes
        /ip dhcp-server set [find where interface=$radio] disabled=yes
        /ip address remove [find where interface=$radio dynamic=no]
    }
#part guests-off
    :if ($driver = "wifi") do={
        :local apply [:parse (":if ([:len [/interface wifi datapath find where name=\"quickset\"]]=0) do={ /interface wifi datapath add name=\"quickset\" bridge=bridge }; " . \
            ":foreach i in=\$radios do={ " . \
            ":foreach p in=[:toarray \"configuration,channel,datapath.bridge,security,configuration.mode,configuration.ssid,configuration.hide-ssid,channel.frequency,channel.width,security.authentication-types,security.passphrase,security.ft,security.ft-over-ds\"] do={ :do { /interface wifi unset \$i value-name=\$p } on-error={} }; " . \
            "/interface wifi set \$i configuration.manager=capsman datapath=quickset disabled=no }; " . \
            "/interface wifi cap set enabled=yes discovery-interfaces=bridge slaves-datapath=quickset caps-man-addresses=\$managers")]
        $apply radios=$radios managers=$managers
    }
    :if (($driver = "wlan") && ([:len $radios] > 0)) do={
        :local apply [:parse (":local names \"\"; :foreach i in=\$radios do={ :if ([:len \$names] > 0) do={ :set names (\$names . \",\") }; :set names (\$names . \$i) }; " . \
            "/interface wireless cap set enabled=yes interfaces=\$names bridge=bridge discovery-interfaces=bridge caps-man-addresses=\$managers")]
        $apply radios=$radios managers=$managers
    }
#part capsman-off
}
