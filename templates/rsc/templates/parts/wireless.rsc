{% if guest_name and not guest_password %}
{{ throw(message="a guest network needs `guest_password`") }}
{% endif %}

# Wireless
{
{% if is_router %}
#part uplink
{% endif %}
    :if ([:len [/interface bridge find where name="bridge"]]=0) do={
        /interface bridge add name="bridge" comment="quickset"
    }
#part radios
    # A CAPsMAN looks after its radios, and lets nobody else set them.
#part cap-off
    :local mode {{ wlan_mode }}
    :local country {% if country %}{{ country | lower }}{% else %}""{% endif %}
    :local bands ""
    :local apply ""
    :local guests ""
    :if ($driver = "wlan") do={
        :set bands [:parse ":return [:tostr [/interface wireless get \$radio band]]"]
        :set apply [:parse (":if ([:len [/interface wireless security-profiles find where name=\$profile]]=0) do={ /interface wireless security-profiles add name=\$profile }; " . \
            "/interface wireless security-profiles set [/interface wireless security-profiles find where name=\$profile] mode=dynamic-keys authentication-types=wpa2-psk unicast-ciphers=aes-ccm group-ciphers=aes-ccm wpa2-pre-shared-key=\$key; " . \
            ":local channel \$tune; :if ([:len \$tune] = 0) do={ :set channel \"auto\" }; " . \
            ":local wide \"20/40mhz-XX\"; :if (\$width = \"20mhz\") do={ :set wide \"20mhz\" }; " . \
            ":if ((\$width = \"20/40/80mhz\") || ((\$width = \"auto\") && (\$profile = \"quickset-5ghz\"))) do={ :set wide \"20/40/80mhz-XXXX\" }; " . \
            "/interface wireless set \$radio mode=\$mode ssid=\$ssid security-profile=\$profile hide-ssid=\$hide frequency=\$channel disabled=no; " . \
            ":do { /interface wireless set \$radio channel-width=\$wide } on-error={ /interface wireless set \$radio channel-width=20/40mhz-XX }; " . \
            ":if ([:len \$country] > 0) do={ /interface wireless set \$radio country=\$country }")]
        :set guests [:parse (":if ([:len [/interface wireless security-profiles find where name=\"quickset-guests\"]]=0) do={ /interface wireless security-profiles add name=\"quickset-guests\" }; " . \
            "/interface wireless security-profiles set [/interface wireless security-profiles find where name=\"quickset-guests\"] mode=dynamic-keys authentication-types=wpa2-psk unicast-ciphers=aes-ccm group-ciphers=aes-ccm wpa2-pre-shared-key=\$key; " . \
            ":if ([:len [/interface wireless find where comment=\"quickset: guests\" master-interface=\$radio]]=0) do={ /interface wireless add name=(\"guest-\" . \$radio) master-interface=\$radio comment=\"quickset: guests\" }; " . \
            ":local guest [/interface wireless find where comment=\"quickset: guests\" master-interface=\$radio]; " . \
            "/interface wireless set \$guest mode=ap-bridge ssid=\$ssid security-profile=\"quickset-guests\" default-forwarding=no disabled=no; " . \
            ":return [/interface wireless get \$guest name]")]
    }
    :if ($driver = "wifi") do={
        :set mode {{ wifi_mode }}
        :set country {% if country %}{{ country }}{% else %}""{% endif %}
        :set bands [:parse ":return [:tostr [/interface wifi radio get [/interface wifi radio find where interface=\$radio] bands]]"]
        # What a radio says itself goes before what its profiles say; what is left out is to be as the
        # board would have it.
        :set apply [:parse (":foreach p in=[:toarray \"configuration,channel,datapath,datapath.bridge,security,channel.frequency,channel.width\"] do={ :do { /interface wifi unset \$radio value-name=\$p } on-error={} }; " . \
            "/interface wifi set \$radio configuration.mode=\$mode configuration.manager=local configuration.ssid=\$ssid configuration.hide-ssid=\$hide security.authentication-types=wpa2-psk,wpa3-psk security.passphrase=\$key security.ft=\$mesh security.ft-over-ds=\$mesh disabled=no; " . \
            ":if ([:len \$tune] > 0) do={ /interface wifi set \$radio channel.frequency=\$tune }; " . \
            ":if (\$width != \"auto\") do={ /interface wifi set \$radio channel.width=\$width }; " . \
            ":if ([:len \$country] > 0) do={ /interface wifi set \$radio configuration.country=\$country }")]
        :set guests [:parse (":if ([:len [/interface wifi find where comment=\"quickset: guests\" master-interface=\$radio]]=0) do={ /interface wifi add name=(\"guest-\" . \$radio) master-interface=\$radio comment=\"quickset: guests\" }; " . \
            ":local guest [/interface wifi find where comment=\"quickset: guests\" master-interface=\$radio]; " . \
            "/interface wifi set \$guest configuration.mode=ap configuration.ssid=\$ssid security.authentication-types=wpa2-psk,wpa3-psk security.passphrase=\$key datapath.client-isolation=yes disabled=no; " . \
            ":return [/interface wifi get \$guest name]")]
    }
    :local filters [/interface bridge filter find where comment="quickset: guests"]
    :foreach radio in=$radios do={
        :local ssid {{ wifi_name }}
        :local key {{ wifi_password }}
        :local profile "quickset-2ghz"
        # A frequency is one of either band, and only the newer bands are wider than 40 MHz.
        :local tune {% if frequency and frequency < 4000 %}{{ frequency ~ "" }}{% else %}""{% endif %}
        :local width {% if channel_width == "20/40/80mhz" %}"20/40mhz"{% else %}{{ channel_width }}{% endif %}
        :local band [$bands radio=$radio]
        :if (([:typeof [:find $band "5ghz"]] = "num") || ([:typeof [:find $band "6ghz"]] = "num")) do={
            :set ssid {{ fast_name }}
            :set key {{ fast_password }}
            :set profile "quickset-5ghz"
            :set tune {% if frequency and frequency > 4000 and frequency < 5925 %}{{ frequency ~ "" }}{% else %}""{% endif %}
            :if ([:typeof [:find $band "6ghz"]] = "num") do={ :set tune {% if frequency and frequency > 5924 %}{{ frequency ~ "" }}{% else %}""{% endif %} }
            :set width {{ channel_width }}
        }
        $apply radio=$radio mode=$mode ssid=$ssid key=$key profile=$profile tune=$tune width=$width country=$country hide={{ "yes" if hide_name else "no" }} mesh={{ "yes" if is_mesh else "no" }}
{% if is_bridged %}
        # What a CAP or a datapath has put there goes by itself.
        :local n 0
        :while (([:len [/interface bridge port find where interface=$radio dynamic=yes]] > 0) && ($n < 10)) do={
            :delay 1s
            :set n ($n + 1)
        }
        :local from "bridge"
        :local used [/interface bridge port find where interface=$radio dynamic=no]
        :if ([:len $used] > 0) do={ :set from [:tostr [/interface bridge port get $used bridge]] }
        :if ([:len [/interface bridge port find where interface=$radio]]=0) do={
            /interface bridge port add bridge="bridge" interface=$radio comment="quickset"
        }
        /interface bridge port set [find where interface=$radio dynamic=no] bridge="bridge"
        /ip dhcp-client remove [find where interface=$radio comment="quickset"]
        /ip dhcp-client set [find where interface=$radio] disabled=yes
        /ip dhcp-server set [find where interface=$radio] disabled=yes
        /ip address remove [find where interface=$radio dynamic=no]
        /interface list member remove [find where interface=$radio comment="defconf"]
#part left
{% else %}
        /interface bridge port remove [find where interface=$radio dynamic=no]
{% endif %}
{% if guest_name %}
        :local guest [$guests radio=$radio ssid={{ guest_name }} key={{ guest_password }}]
        :if ([:len [/interface bridge port find where interface=$guest]]=0) do={
            /interface bridge port add bridge="bridge" interface=$guest comment="quickset: guests"
        }
        /interface bridge filter add chain=forward in-interface=$guest action=drop comment="quickset: guests"
        /interface bridge filter add chain=forward out-interface=$guest action=drop comment="quickset: guests"
        # The firewall knows them by it, and lets them have an address, names and the Internet.
        /interface bridge filter add chain=input in-interface=$guest action=mark-packet new-packet-mark="quickset-guests" comment="quickset: guests"
{% endif %}
    }
    :foreach i in=$filters do={ /interface bridge filter remove $i }
{% if not guest_name %}
#part guests-off
{% endif %}
{% if is_mesh %}
#part capsman
{% else %}
#part capsman-off
{% endif %}
}
