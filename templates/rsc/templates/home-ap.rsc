# Muster Quickset: Home AP. May run again. RouterOS 7; not verified on hardware.
# One board with a Wi-Fi network of one name on all its radios, and a router behind it. What Quickset
# shows besides (clients, WPS button, check for updates) is no configuration: see the device's page.
#part system
#part router

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
        :local apply [:parse (":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ " . \
            "/interface wifi set \$i configuration.mode=ap configuration.manager=local configuration.ssid=\$ssid security.authentication-types=wpa2-psk,wpa3-psk security.passphrase=\$key disabled=no; " . \
            ":local port [/interface wifi get \$i name]; " . \
            ":if ([:len [/interface bridge port find where interface=\$port]]=0) do={ /interface bridge port add bridge=bridge interface=\$port } } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
{% if country %}
        :local place [:parse ":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ /interface wifi set \$i configuration.country=\$country } "]
        $place country={{ country }}
{% endif %}
{% if guest_name %}
        :local guests [:parse (":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ " . \
            ":local master [/interface wifi get \$i name]; :local guest (\"guest-\" . \$master); " . \
            ":if ([:len [/interface wifi find where name=\$guest]]=0) do={ /interface wifi add name=\$guest master-interface=\$master }; " . \
            "/interface wifi set [/interface wifi find where name=\$guest] configuration.mode=ap configuration.ssid=\$ssid security.authentication-types=wpa2-psk,wpa3-psk security.passphrase=\$key datapath.client-isolation=yes disabled=no; " . \
            ":if ([:len [/interface bridge port find where interface=\$guest]]=0) do={ /interface bridge port add bridge=bridge interface=\$guest }; " . \
            ":if ([:len [/interface bridge filter find where in-interface=\$guest]]=0) do={ /interface bridge filter add chain=forward in-interface=\$guest action=drop comment=\"quickset: guests\" }; " . \
            ":if ([:len [/interface bridge filter find where out-interface=\$guest]]=0) do={ /interface bridge filter add chain=forward out-interface=\$guest action=drop comment=\"quickset: guests\" } } ")]
        $guests ssid={{ guest_name }} key={{ guest_password }}
{% else %}
        :local close [:parse "/interface wifi set [/interface wifi find where name~\"^guest-\"] disabled=yes "]
        $close
{% endif %}
    }
    :if ($wlan > 0) do={
        :local apply [:parse ("/interface wireless security-profiles set [/interface wireless security-profiles find where default=yes] mode=dynamic-keys authentication-types=wpa2-psk unicast-ciphers=aes-ccm group-ciphers=aes-ccm wpa2-pre-shared-key=\$key; " . \
            ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ " . \
            "/interface wireless set \$i mode=ap-bridge ssid=\$ssid disabled=no; " . \
            ":local port [/interface wireless get \$i name]; " . \
            ":if ([:len [/interface bridge port find where interface=\$port]]=0) do={ /interface bridge port add bridge=bridge interface=\$port } } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
{% if country %}
        :local place [:parse ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ /interface wireless set \$i country=\$country } "]
        $place country={{ country | lower }}
{% endif %}
{% if guest_name %}
        :local guests [:parse (":if ([:len [/interface wireless security-profiles find where name=\"guests\"]]=0) do={ /interface wireless security-profiles add name=\"guests\" }; " . \
            "/interface wireless security-profiles set [/interface wireless security-profiles find where name=\"guests\"] mode=dynamic-keys authentication-types=wpa2-psk unicast-ciphers=aes-ccm group-ciphers=aes-ccm wpa2-pre-shared-key=\$key; " . \
            ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ " . \
            ":local master [/interface wireless get \$i name]; :local guest (\"guest-\" . \$master); " . \
            ":if ([:len [/interface wireless find where name=\$guest]]=0) do={ /interface wireless add name=\$guest master-interface=\$master }; " . \
            "/interface wireless set [/interface wireless find where name=\$guest] mode=ap-bridge ssid=\$ssid security-profile=\"guests\" default-forwarding=no disabled=no; " . \
            ":if ([:len [/interface bridge port find where interface=\$guest]]=0) do={ /interface bridge port add bridge=bridge interface=\$guest }; " . \
            ":if ([:len [/interface bridge filter find where in-interface=\$guest]]=0) do={ /interface bridge filter add chain=forward in-interface=\$guest action=drop comment=\"quickset: guests\" }; " . \
            ":if ([:len [/interface bridge filter find where out-interface=\$guest]]=0) do={ /interface bridge filter add chain=forward out-interface=\$guest action=drop comment=\"quickset: guests\" } } ")]
        $guests ssid={{ guest_name }} key={{ guest_password }}
{% else %}
        :local close [:parse "/interface wireless set [/interface wireless find where name~\"^guest-\"] disabled=yes "]
        $close
{% endif %}
    }
    :if (($wifi + $wlan) = 0) do={ :log warning "muster-quickset: this board has no radios that work" }
}
