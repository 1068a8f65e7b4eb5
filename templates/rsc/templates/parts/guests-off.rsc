    /interface bridge filter remove [find where comment="quickset: guests"]
    /interface bridge port remove [find where comment="quickset: guests"]
    :if ($driver = "wlan") do={
        :local close [:parse ("/interface wireless remove [/interface wireless find where comment=\"quickset: guests\"]; " . \
            "/interface wireless security-profiles remove [/interface wireless security-profiles find where name=\"quickset-guests\"]")]
        $close
    }
    :if ($driver = "wifi") do={
        :local close [:parse "/interface wifi remove [/interface wifi find where comment=\"quickset: guests\"]"]
        $close
    }
