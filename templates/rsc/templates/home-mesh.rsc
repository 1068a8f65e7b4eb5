# Muster Quickset: Home mesh. May run again. RouterOS 7; not verified on hardware.
# The first board of a Wi-Fi network of several: a router that looks after the radios of all, its own
# among them (CAPsMAN). The others are CAPs: give them the template cap.
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
        :local apply [:parse (":if ([:len [/interface wifi security find where name=\"quickset\"]]=0) do={ /interface wifi security add name=\"quickset\" }; " . \
            "/interface wifi security set [/interface wifi security find where name=\"quickset\"] authentication-types=wpa2-psk,wpa3-psk ft=yes ft-over-ds=yes passphrase=\$key; " . \
            ":if ([:len [/interface wifi configuration find where name=\"quickset\"]]=0) do={ /interface wifi configuration add name=\"quickset\" }; " . \
            "/interface wifi configuration set [/interface wifi configuration find where name=\"quickset\"] mode=ap ssid=\$ssid security=quickset; " . \
            ":if ([:len [/interface wifi provisioning find where master-configuration=\"quickset\"]]=0) do={ /interface wifi provisioning add action=create-dynamic-enabled master-configuration=quickset }; " . \
            "/interface wifi capsman set enabled=yes interfaces=bridge upgrade-policy=none; " . \
            ":foreach i in=[/interface wifi find where default-name~\"wifi\"] do={ /interface wifi set \$i configuration=quickset configuration.manager=local disabled=no; " . \
            ":local port [/interface wifi get \$i name]; " . \
            ":if ([:len [/interface bridge port find where interface=\$port]]=0) do={ /interface bridge port add bridge=bridge interface=\$port } } ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
{% if country %}
        :local place [:parse "/interface wifi configuration set [/interface wifi configuration find where name=\"quickset\"] country=\$country "]
        $place country={{ country }}
{% endif %}
    }
    :if ($wlan > 0) do={
        :local apply [:parse (":if ([:len [/caps-man security find where name=\"quickset\"]]=0) do={ /caps-man security add name=\"quickset\" }; " . \
            "/caps-man security set [/caps-man security find where name=\"quickset\"] authentication-types=wpa2-psk encryption=aes-ccm passphrase=\$key; " . \
            ":if ([:len [/caps-man datapath find where name=\"quickset\"]]=0) do={ /caps-man datapath add name=\"quickset\" }; " . \
            "/caps-man datapath set [/caps-man datapath find where name=\"quickset\"] bridge=bridge local-forwarding=no; " . \
            ":if ([:len [/caps-man configuration find where name=\"quickset\"]]=0) do={ /caps-man configuration add name=\"quickset\" }; " . \
            "/caps-man configuration set [/caps-man configuration find where name=\"quickset\"] mode=ap ssid=\$ssid security=quickset datapath=quickset; " . \
            ":if ([:len [/caps-man provisioning find where master-configuration=\"quickset\"]]=0) do={ /caps-man provisioning add action=create-dynamic-enabled master-configuration=quickset }; " . \
            "/caps-man manager set enabled=yes; :local names \"\"; " . \
            ":foreach i in=[/interface wireless find where default-name~\"wlan\"] do={ :if ([:len \$names] > 0) do={ :set names (\$names . \",\") }; :set names (\$names . [/interface wireless get \$i name]) }; " . \
            "/interface wireless cap set enabled=yes interfaces=\$names bridge=bridge caps-man-addresses=127.0.0.1 ")]
        $apply ssid={{ wifi_name }} key={{ wifi_password }}
{% if country %}
        :local place [:parse "/caps-man configuration set [/caps-man configuration find where name=\"quickset\"] country=\$country "]
        $place country={{ country | lower }}
{% endif %}
    }
    :if (($wifi + $wlan) = 0) do={ :log warning "muster-quickset: this board has no radios that work" }
}
