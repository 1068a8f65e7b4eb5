# Bridge: all ports in one; the board's own address is on it
{
    :if ([:len [/interface bridge find where name="bridge"]]=0) do={
        /interface bridge add name="bridge" comment="quickset"
    }
    # What a router has and a bridge has not.
    /ip dhcp-server set [find where interface="bridge"] disabled=yes
    /ip firewall filter set [find where comment~"^quickset:"] disabled=yes
    /ip firewall nat set [find where comment~"^quickset:"] disabled=yes
    /interface pppoe-client set [find where comment="quickset"] disabled=yes
{% if address_acquisition == "static" %}
    :if ([:len [/ip address find where interface="bridge" address={{ wan_address }}]]=0) do={
        /ip address remove [find where interface="bridge" dynamic=no]
        /ip address add address={{ wan_address }} interface="bridge" comment="quickset"
    }
    :if ([:len [/ip route find where comment="quickset"]]=0) do={
        /ip route add dst-address=0.0.0.0/0 gateway={{ wan_gateway }} comment="quickset"
    } else={
        /ip route set [find where comment="quickset"] gateway={{ wan_gateway }} disabled=no
    }
    /ip dhcp-client set [find where interface="bridge"] disabled=yes
{% else %}
    :if ([:len [/ip dhcp-client find where interface="bridge"]]=0) do={
        /ip dhcp-client add interface="bridge" use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no comment="quickset"
    } else={
        /ip dhcp-client set [find where interface="bridge"] use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no
    }
    /ip address remove [find where interface="bridge" dynamic=no]
    /ip route set [find where comment="quickset"] disabled=yes
{% endif %}
    # Last, since from here on the board is reached by its new address.
    :foreach i in=[/interface ethernet find] do={
        :local port [/interface ethernet get $i name]
        :if ([:len [/interface bridge port find where interface=$port]]=0) do={
            /interface bridge port add bridge="bridge" interface=$port
        }
    }
    /ip dhcp-client set [find where interface!="bridge"] disabled=yes
}
{% if dns_servers %}
/ip dns set servers={{ dns_servers | join(sep=",") }}
{% endif %}
