    # What CAPs are told. The board's own radios have the same.
    :if ($driver = "wifi") do={
        :local manage [:parse (":if ([:len [/interface wifi security find where name=\"quickset\"]]=0) do={ /interface wifi security add name=\"quickset\" }; " . \
            "/interface wifi security set [/interface wifi security find where name=\"quickset\"] authentication-types=wpa2-psk,wpa3-psk ft=yes ft-over-ds=yes passphrase=\$key; " . \
            ":if ([:len [/interface wifi configuration find where name=\"quickset\"]]=0) do={ /interface wifi configuration add name=\"quickset\" }; " . \
            "/interface wifi configuration set [/interface wifi configuration find where name=\"quickset\"] mode=ap ssid=\$ssid security=quickset; " . \
            ":if ([:len \$country] > 0) do={ /interface wifi configuration set [/interface wifi configuration find where name=\"quickset\"] country=\$country }; " . \
            ":if ([:len [/interface wifi provisioning find where master-configuration=\"quickset\"]]=0) do={ /interface wifi provisioning add action=create-dynamic-enabled master-configuration=quickset }; " . \
            "/interface wifi cap set enabled=no; /interface wifi capsman set enabled=yes interfaces=bridge upgrade-policy=none")]
        $manage ssid={{ wifi_name }} key={{ wifi_password }} country=$country
    }
    # This one looks after its own radios too, over 127.0.0.1, and listens to nobody from the Internet.
    :if ($driver = "wlan") do={
        :local manage [:parse (":if ([:len [/caps-man security find where name=\"quickset\"]]=0) do={ /caps-man security add name=\"quickset\" }; " . \
            "/caps-man security set [/caps-man security find where name=\"quickset\"] authentication-types=wpa2-psk encryption=aes-ccm passphrase=\$key; " . \
            ":if ([:len [/caps-man datapath find where name=\"quickset\"]]=0) do={ /caps-man datapath add name=\"quickset\" }; " . \
            "/caps-man datapath set [/caps-man datapath find where name=\"quickset\"] bridge=bridge local-forwarding=no; " . \
            ":if ([:len [/caps-man configuration find where name=\"quickset\"]]=0) do={ /caps-man configuration add name=\"quickset\" }; " . \
            "/caps-man configuration set [/caps-man configuration find where name=\"quickset\"] mode=ap ssid=\$ssid security=quickset datapath=quickset; " . \
            ":if ([:len \$country] > 0) do={ /caps-man configuration set [/caps-man configuration find where name=\"quickset\"] country=\$country }; " . \
            ":if ([:len [/caps-man provisioning find where master-configuration=\"quickset\"]]=0) do={ /caps-man provisioning add action=create-dynamic-enabled master-configuration=quickset }; " . \
            "/caps-man manager interface remove [/caps-man manager interface find where comment=\"quickset\"]; " . \
            ":foreach i in=[/interface list member find where list=\"WAN\" dynamic=no] do={ /caps-man manager interface add interface=[/interface list member get \$i interface] forbid=yes disabled=no comment=\"quickset\" }; " . \
            "/caps-man manager set enabled=yes; " . \
            ":local names \"\"; :foreach i in=\$radios do={ :if ([:len \$names] > 0) do={ :set names (\$names . \",\") }; :set names (\$names . \$i) }; " . \
            ":if ([:len \$names] > 0) do={ /interface wireless cap set enabled=yes interfaces=\$names bridge=bridge caps-man-addresses=127.0.0.1 }")]
        $manage ssid={{ wifi_name }} key={{ wifi_password }} country=$country radios=$radios
    }
