    :if ($driver = "wlan") do={
        :local alone [:parse "/interface wireless cap set enabled=no interfaces=\"\""]
        $alone
    }
    :if ($driver = "wifi") do={
        :local alone [:parse "/interface wifi cap set enabled=no"]
        $alone
    }
