# Local network: one bridge for all ports but the one to the Internet
{
    :if ([:len [/interface bridge find where name="bridge"]]=0) do={
        /interface bridge add name="bridge" comment="quickset"
    }
    :if ([:len [/interface list find where name="WAN"]]=0) do={ /interface list add name="WAN" }
    :if ([:len [/interface list find where name="LAN"]]=0) do={ /interface list add name="LAN" }
    :if ([:len [/interface list member find where list="LAN" interface="bridge"]]=0) do={
        /interface list member add list="LAN" interface="bridge"
    }
    /interface bridge port remove [find where interface={{ wan_interface }}]
{% if bridge_ports %}
    :foreach i in=[/interface ethernet find] do={
        :local port [/interface ethernet get $i name]
        :local used [:len [/interface bridge port find where interface=$port]]
        :if (($port != {{ wan_interface }}) && ($used = 0)) do={
            /interface bridge port add bridge="bridge" interface=$port
        }
    }
{% endif %}
}
{
    # Added anew where it differs: a change alone would leave the old network with it.
    :if ([:len [/ip address find where interface="bridge" address={{ lan_address }}]]=0) do={
        /ip address remove [find where interface="bridge" dynamic=no]
        /ip address add address={{ lan_address }} interface="bridge" comment="quickset"
    }
{% if dhcp_server %}
    :local range {% if dhcp_first and dhcp_last %}{{ dhcp_first ~ "-" ~ dhcp_last }}{% else %}{{ (lan_address | host(n=10)) ~ "-" ~ (lan_address | host(n=-2)) }}{% endif %}
    :if ([:len [/ip pool find where name="quickset"]]=0) do={
        /ip pool add name="quickset" ranges=$range
    } else={
        /ip pool set [find where name="quickset"] ranges=$range
    }
    /ip dhcp-server network remove [find where comment="defconf"]
    :if ([:len [/ip dhcp-server network find where comment="quickset"]]=0) do={
        /ip dhcp-server network add address={{ lan_address | network }} gateway={{ lan_address | address }} dns-server={{ lan_address | address }} comment="quickset"
    } else={
        /ip dhcp-server network set [find where comment="quickset"] address={{ lan_address | network }} gateway={{ lan_address | address }} dns-server={{ lan_address | address }}
    }
    :if ([:len [/ip dhcp-server find where interface="bridge"]]=0) do={
        /ip dhcp-server add name="quickset" interface="bridge" address-pool="quickset" disabled=no
    } else={
        /ip dhcp-server set [find where interface="bridge"] address-pool="quickset" disabled=no
    }
{% else %}
    /ip dhcp-server set [find where interface="bridge"] disabled=yes
{% endif %}
}

# Internet
{
    :local wan {{ wan_interface }}
    :if ([:len [/interface list member find where list="WAN" interface=$wan]]=0) do={
        /interface list member add list="WAN" interface=$wan
    }
{% if address_acquisition == "pppoe" %}
    :if ([:len [/interface pppoe-client find where name="pppoe-out1"]]=0) do={
        /interface pppoe-client add name="pppoe-out1" interface=$wan user={{ pppoe_user }} password={{ pppoe_password }} add-default-route=yes use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no comment="quickset"
    } else={
        /interface pppoe-client set [find where name="pppoe-out1"] interface=$wan user={{ pppoe_user }} password={{ pppoe_password }} add-default-route=yes use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no comment="quickset"
    }
    :if ([:len [/interface list member find where list="WAN" interface="pppoe-out1"]]=0) do={
        /interface list member add list="WAN" interface="pppoe-out1"
    }
    /ip dhcp-client set [find where interface=$wan] disabled=yes
{% elif address_acquisition == "static" %}
    :if ([:len [/ip address find where interface=$wan address={{ wan_address }}]]=0) do={
        /ip address remove [find where interface=$wan dynamic=no]
        /ip address add address={{ wan_address }} interface=$wan comment="quickset"
    }
    :if ([:len [/ip route find where comment="quickset"]]=0) do={
        /ip route add dst-address=0.0.0.0/0 gateway={{ wan_gateway }} comment="quickset"
    } else={
        /ip route set [find where comment="quickset"] gateway={{ wan_gateway }} disabled=no
    }
    /ip dhcp-client set [find where interface=$wan] disabled=yes
{% else %}
    :if ([:len [/ip dhcp-client find where interface=$wan]]=0) do={
        /ip dhcp-client add interface=$wan use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no comment="quickset"
    } else={
        /ip dhcp-client set [find where interface=$wan] use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no
    }
{% endif %}
{% if address_acquisition != "pppoe" %}
    /interface pppoe-client set [find where comment="quickset"] disabled=yes
{% endif %}
{% if address_acquisition != "static" %}
    /ip route set [find where comment="quickset"] disabled=yes
{% endif %}
}
{% if dns_servers %}
/ip dns set allow-remote-requests=yes servers={{ dns_servers | join(sep=",") }}
{% else %}
/ip dns set allow-remote-requests=yes
{% endif %}
{
    /ip firewall nat remove [find where comment~"^defconf"]
    :if ([:len [/ip firewall nat find where comment="quickset: NAT"]]=0) do={
        /ip firewall nat add chain=srcnat action=masquerade out-interface-list="WAN" disabled={% if nat %}no{% else %}yes{% endif %} comment="quickset: NAT"
    } else={
        /ip firewall nat set [find where comment="quickset: NAT"] disabled={% if nat %}no{% else %}yes{% endif %}
    }
}
{% if firewall and acs.url %}
# Whence connection requests may come: the host of the ACS's URL
:do {
    /ip firewall address-list remove [find where list="muster-acs"]
    /ip firewall address-list add list="muster-acs" address={{ acs.url | split(pat="://") | last | split(pat="/") | first | split(pat=":") | first }}
} on-error={ :log warning "muster-quickset: the ACS has no name that a firewall can look up" }
{% endif %}
{% if firewall %}
{
    :if ([:len [/ip firewall filter find where comment="quickset: in, answers"]]=0) do={
        /ip firewall filter add chain=input action=accept connection-state=established,related,untracked comment="quickset: in, answers"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: in, invalid"]]=0) do={
        /ip firewall filter add chain=input action=drop connection-state=invalid comment="quickset: in, invalid"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: in, ping"]]=0) do={
        /ip firewall filter add chain=input action=accept protocol=icmp comment="quickset: in, ping"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: in, ACS"]]=0) do={
        /ip firewall filter add chain=input action=accept protocol=tcp dst-port=7547 src-address-list="muster-acs" comment="quickset: in, ACS"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: in, others"]]=0) do={
        /ip firewall filter add chain=input action=drop in-interface-list=!LAN comment="quickset: in, others"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: through, answers"]]=0) do={
        /ip firewall filter add chain=forward action=accept connection-state=established,related,untracked comment="quickset: through, answers"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: through, invalid"]]=0) do={
        /ip firewall filter add chain=forward action=drop connection-state=invalid comment="quickset: through, invalid"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: through, others"]]=0) do={
        /ip firewall filter add chain=forward action=drop connection-state=new connection-nat-state=!dstnat in-interface-list=WAN comment="quickset: through, others"
    }
    /ip firewall filter set [find where comment~"^quickset:"] disabled=no
    # Last, so that the board is never without: those that it came with, and those of the bootstrap.
    /ip firewall filter remove [find where comment~"^defconf"]
    /ip firewall filter remove [find where comment~"^muster:"]
}
{% else %}
/ip firewall filter set [find where comment~"^quickset:"] disabled=yes
{% endif %}
/ip neighbor discovery-settings set discover-interface-list={% if mac_access %}LAN{% else %}none{% endif %}
/tool mac-server set allowed-interface-list={% if mac_access %}LAN{% else %}none{% endif %}
/tool mac-server mac-winbox set allowed-interface-list={% if mac_access %}LAN{% else %}none{% endif %}
{% if upnp %}
{
    :if ([:len [/ip upnp interfaces find where interface="bridge"]]=0) do={
        /ip upnp interfaces add interface="bridge" type=internal
    }
    :if ([:len [/ip upnp interfaces find where type="external"]]=0) do={
        /ip upnp interfaces add interface={% if address_acquisition == "pppoe" %}"pppoe-out1"{% else %}{{ wan_interface }}{% endif %} type=external
    } else={
        /ip upnp interfaces set [find where type="external"] interface={% if address_acquisition == "pppoe" %}"pppoe-out1"{% else %}{{ wan_interface }}{% endif %}
    }
    /ip upnp set enabled=yes
}
{% else %}
/ip upnp set enabled=no
{% endif %}

# VPN
{% if vpn_access %}
{
    /ip cloud set ddns-enabled=yes
    :if ([:len [/ip pool find where name="quickset-vpn"]]=0) do={
        /ip pool add name="quickset-vpn" ranges=192.168.89.2-192.168.89.254
    }
    :if ([:len [/ppp profile find where name="quickset-vpn"]]=0) do={
        /ppp profile add name="quickset-vpn" local-address=192.168.89.1 remote-address="quickset-vpn" use-encryption=required
    }
    :if ([:len [/ppp secret find where name="vpn"]]=0) do={
        /ppp secret add name="vpn" password={{ vpn_password }} service=l2tp profile="quickset-vpn"
    } else={
        /ppp secret set [find where name="vpn"] password={{ vpn_password }} profile="quickset-vpn" disabled=no
    }
    /interface l2tp-server server set enabled=yes use-ipsec=required ipsec-secret={{ vpn_password }} default-profile="quickset-vpn"
{% if firewall %}
    :if ([:len [/ip firewall filter find where comment="quickset: in, VPN"]]=0) do={
        /ip firewall filter add chain=input action=accept protocol=udp dst-port=500,1701,4500 place-before=[find where comment="quickset: in, others"] comment="quickset: in, VPN"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: in, ESP"]]=0) do={
        /ip firewall filter add chain=input action=accept protocol=ipsec-esp place-before=[find where comment="quickset: in, others"] comment="quickset: in, ESP"
    }
{% endif %}
}
{% else %}
/interface l2tp-server server set enabled=no
/ip firewall filter remove [find where comment="quickset: in, VPN"]
/ip firewall filter remove [find where comment="quickset: in, ESP"]
{% endif %}
