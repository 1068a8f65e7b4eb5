# Muster Quickset: PTP bridge AP. May run again. RouterOS 7; not verified on hardware.
# One end of a bridge over the air; the other one is PTP bridge CPE, with the same name and password.
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
        :local apply [:parse (":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ " . \
            "/interface wifi set \$i configuration.mode=ap configuration.manager=local configuration.ssid=\$ssid security.authentication-types=wpa2-psk,wpa3-psk security.passphrase=\$key disabled=no; " . \
            ":local port [/interface wifi get \$i name]; " . \
            ":if ([:len [/interface bridge port find where interface=\$port]]=0) do={ /interface bridge port add bridge=bridge interface=\$port } } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
{% if country %}
        :local place [:parse ":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ /interface wifi set \$i configuration.country=\$country } "]
        $place country={{ country }}
{% endif %}
{% if frequency %}
        :local tune [:parse ":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ /interface wifi set \$i channel.frequency=\$frequency } "]
        $tune frequency={{ frequency }}
{% endif %}
{% if channel_width != "auto" %}
        :local widen [:parse ":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ /interface wifi set \$i channel.width=\$width } "]
        $widen width={{ channel_width }}
{% endif %}
    }
    :if ($wlan > 0) do={
        :local apply [:parse ("/interface wireless security-profiles set [/interface wireless security-profiles find where default=yes] mode=dynamic-keys authentication-types=wpa2-psk unicast-ciphers=aes-ccm group-ciphers=aes-ccm wpa2-pre-shared-key=\$key; " . \
            ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ " . \
            "/interface wireless set \$i mode=bridge ssid=\$ssid disabled=no; " . \
            ":local port [/interface wireless get \$i name]; " . \
            ":if ([:len [/interface bridge port find where interface=\$port]]=0) do={ /interface bridge port add bridge=bridge interface=\$port } } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
{% if country %}
        :local place [:parse ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ /interface wireless set \$i country=\$country } "]
        $place country={{ country | lower }}
{% endif %}
{% if frequency %}
        :local tune [:parse ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ /interface wireless set \$i frequency=\$frequency } "]
        $tune frequency={{ frequency }}
{% endif %}
{% if channel_width != "auto" %}
        :local widen [:parse ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ /interface wireless set \$i channel-width=\$width } "]
        $widen width={% if channel_width == "20mhz" %}"20mhz"{% elif channel_width == "20/40mhz" %}"20/40mhz-XX"{% else %}"20/40/80mhz-XXXX"{% endif %}
{% endif %}
    }
    :if (($wifi + $wlan) = 0) do={ :log warning "muster-quickset: this board has no radios that work" }
}
