# Muster Quickset: CPE. May run again. RouterOS 7; not verified on hardware.
# A client of a provider's access point. As a router its radio is the port to the provider, and every
# Ethernet port belongs to the local network: a board that reaches its ACS over Ethernet now will not
# do so any more. Looking for access points (Scan) cannot be done over CWMP.
#part system

# Wireless
{% if configuration == "bridge" %}
:if ([:len [/interface bridge find where name="bridge"]]=0) do={ /interface bridge add name="bridge" comment="quickset" }
{% endif %}
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
{% if configuration == "bridge" %}
    :if ($wifi > 0) do={
        :local apply [:parse (":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ " . \
            "/interface wifi set \$i configuration.mode=station-bridge configuration.manager=local configuration.ssid=\$ssid security.authentication-types=wpa2-psk,wpa3-psk security.passphrase=\$key disabled=no; " . \
            ":local port [/interface wifi get \$i name]; " . \
            ":if ([:len [/interface bridge port find where interface=\$port]]=0) do={ /interface bridge port add bridge=bridge interface=\$port } } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
    }
    :if ($wlan > 0) do={
        :local apply [:parse ("/interface wireless security-profiles set [/interface wireless security-profiles find where default=yes] mode=dynamic-keys authentication-types=wpa2-psk unicast-ciphers=aes-ccm group-ciphers=aes-ccm wpa2-pre-shared-key=\$key; " . \
            ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ " . \
            "/interface wireless set \$i mode=station-bridge ssid=\$ssid disabled=no; " . \
            ":local port [/interface wireless get \$i name]; " . \
            ":if ([:len [/interface bridge port find where interface=\$port]]=0) do={ /interface bridge port add bridge=bridge interface=\$port } } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
    }
{% else %}
    :if ($wifi > 0) do={
        :local apply [:parse (":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ " . \
            "/interface wifi set \$i configuration.mode=station configuration.manager=local configuration.ssid=\$ssid security.authentication-types=wpa2-psk,wpa3-psk security.passphrase=\$key disabled=no } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
    }
    :if ($wlan > 0) do={
        :local apply [:parse ("/interface wireless security-profiles set [/interface wireless security-profiles find where default=yes] mode=dynamic-keys authentication-types=wpa2-psk unicast-ciphers=aes-ccm group-ciphers=aes-ccm wpa2-pre-shared-key=\$key; " . \
            ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ " . \
            "/interface wireless set \$i mode=station ssid=\$ssid disabled=no } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
    }
{% endif %}
    :if (($wifi + $wlan) = 0) do={ :log warning "muster-quickset: this board has no radios that work" }
}
{% if configuration == "bridge" %}
#part bridge
{% else %}
#part router
{% endif %}
