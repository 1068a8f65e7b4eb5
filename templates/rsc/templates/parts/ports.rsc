    # Every port but the one to the Internet is in the bridge. The board may be reached over one that
    # is in another, so what gave it its address there goes last.
    :local ports [:toarray ""]
    :foreach i in=[/interface ethernet find] do={ :set ports ($ports, [/interface ethernet get $i name]) }
    # Several ports that are one come along where they are in a bridge.
    :foreach i in=[/interface bonding find] do={
        :local bond [/interface bonding get $i name]
        :if ([:len [/interface bridge port find where interface=$bond dynamic=no]] > 0) do={ :set ports ($ports, $bond) }
    }
    :foreach port in=$ports do={
        :if (($port != $wan) && ($port != $under)) do={
            :local from "bridge"
            :local moved true
            :local isNew false
            :do {
                :local used [/interface bridge port find where interface=$port dynamic=no]
                :if ([:len $used]=0) do={
                    /interface bridge port add bridge="bridge" interface=$port comment="quickset"
                    :set isNew true
                } else={
                    :set from [:tostr [/interface bridge port get $used bridge]]
                    /interface bridge port set $used bridge="bridge"
                }
            } on-error={
                # One of a bonding, for instance, stays what it is.
                :set moved false
                :log warning ("muster-quickset: not in the bridge: " . $port)
            }
            :if ($moved) do={
#part left
                # A port of a bridge has nothing of its own.
                :if ($isNew) do={
                    :foreach i in=[/interface vlan find where interface=$port] do={
                        :do { /interface vlan set $i interface="bridge" } on-error={ :log warning ("muster-quickset: a VLAN stays on " . $port) }
                    }
                }
                /ip dhcp-client remove [find where interface=$port comment="quickset"]
                /ip dhcp-client set [find where interface=$port] disabled=yes
                /ip dhcp-server set [find where interface=$port] disabled=yes
                /ip address remove [find where interface=$port dynamic=no]
                /interface list member remove [find where interface=$port comment="defconf"]
            }
        }
    }
