                # A bridge that has lost its last port leads nowhere: its VLANs come along, the rest goes.
                :if (($from != "bridge") && ([:len [/interface bridge port find where bridge=$from dynamic=no]]=0)) do={
                    :foreach i in=[/interface vlan find where interface=$from] do={
                        :do { /interface vlan set $i interface="bridge" } on-error={ :log warning ("muster-quickset: a VLAN stays on " . $from) }
                    }
                    /ip dhcp-client set [find where interface=$from] disabled=yes
                    /ip dhcp-server set [find where interface=$from] disabled=yes
                    /ip address remove [find where interface=$from dynamic=no]
                }
