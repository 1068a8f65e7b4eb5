    # Every port but the one to the Internet is in the bridge. The board may be reached over one that
    # is in another, so what gave it its address there goes last.
    :foreach i in=[/interface ethernet find] do={
        :local port [/interface ethernet get $i name]
        :if ($port != $wan) do={
            :local used [/interface bridge port find where interface=$port]
            :local from "bridge"
            :if ([:len $used]=0) do={
                /interface bridge port add bridge="bridge" interface=$port comment="quickset"
            } else={
                :set from [/interface bridge port get $used bridge]
                /interface bridge port set $used bridge="bridge"
            }
            :if ($from != "bridge") do={ /ip dhcp-client set [find where interface=$from] disabled=yes }
            /ip dhcp-client remove [find where interface=$port comment="quickset"]
            /ip dhcp-client set [find where interface=$port] disabled=yes
        }
    }
