    :if ($driver = "wlan") do={
        :local off [:parse ("/caps-man manager set enabled=no; " . \
            "/caps-man manager interface remove [/caps-man manager interface find where comment=\"quickset\"]; " . \
            "/caps-man provisioning remove [/caps-man provisioning find where master-configuration=\"quickset\"]; " . \
            "/caps-man configuration remove [/caps-man configuration find where name=\"quickset\"]; " . \
            "/caps-man datapath remove [/caps-man datapath find where name=\"quickset\"]; " . \
            "/caps-man security remove [/caps-man security find where name=\"quickset\"]")]
        $off
    }
    :if ($driver = "wifi") do={
        :local off [:parse ("/interface wifi capsman set enabled=no; " . \
            "/interface wifi provisioning remove [/interface wifi provisioning find where master-configuration=\"quickset\"]; " . \
            "/interface wifi configuration remove [/interface wifi configuration find where name=\"quickset\"]; " . \
            "/interface wifi security remove [/interface wifi security find where name=\"quickset\"]")]
        $off
    }
