{% set is_router = true %}
{% if address_acquisition == "pppoe" and not (pppoe_user and pppoe_password) %}
{{ throw(message="PPPoE needs `pppoe_user` and `pppoe_password`") }}
{% endif %}
{% if address_acquisition == "static" and not (wan_address and wan_gateway and dns_servers) %}
{{ throw(message="a static address needs `wan_address`, `wan_gateway` and `dns_servers`: nobody else tells them") }}
{% endif %}
{% if vpn_access and not vpn_password %}
{{ throw(message="VPN access needs `vpn_password`") }}
{% endif %}
{% set lan_bits = lan_address | prefix_length %}
{% if lan_address is containing(pat=":") or lan_bits > 30 or lan_address == (lan_address | network) or (lan_address | address) == (lan_address | host(n=-1)) %}
{{ throw(message="`lan_address` is an IPv4 address of the board in its network, such as 192.168.88.1/24") }}
{% endif %}
{% if dhcp_server and dhcp_first and dhcp_last %}
{% for end in [dhcp_first, dhcp_last] %}
{% if end is containing(pat=":") or ((end ~ "/" ~ lan_bits) | network) != (lan_address | network) %}
{{ throw(message="`dhcp_first` and `dhcp_last` are addresses of the network of `lan_address`") }}
{% endif %}
{% endfor %}
{% set a = dhcp_first | split(pat=".") %}
{% set b = dhcp_last | split(pat=".") %}
{% set low = ((a | nth(n=0) | int) * 256 + (a | nth(n=1) | int)) * 65536 + (a | nth(n=2) | int) * 256 + (a | nth(n=3) | int) %}
{% set high = ((b | nth(n=0) | int) * 256 + (b | nth(n=1) | int)) * 65536 + (b | nth(n=2) | int) * 256 + (b | nth(n=3) | int) %}
{% if low > high %}
{{ throw(message="`dhcp_first` comes before `dhcp_last`") }}
{% endif %}
{% elif dhcp_server and lan_bits > 28 %}
{{ throw(message="a network as small as that of `lan_address` needs `dhcp_first` and `dhcp_last`") }}
{% endif %}

# Internet, and the local network: one bridge for all ports but the one to the Internet
{
{% set tells_uplink = true %}
#part uplink
{% set tells_uplink = false %}

    :if ([:len [/interface bridge find where name="bridge"]]=0) do={
        /interface bridge add name="bridge" comment="quickset"
    }
    :if ([:len [/interface list find where name="WAN"]]=0) do={ /interface list add name="WAN" }
    :if ([:len [/interface list find where name="LAN"]]=0) do={ /interface list add name="LAN" }
    :if ([:len [/interface list member find where list="LAN" interface="bridge"]]=0) do={
        /interface list member add list="LAN" interface="bridge"
    }
    :if ([:len [/interface list member find where list="WAN" interface=$wan dynamic=no]]=0) do={
        /interface list member add list="WAN" interface=$wan
    }
    /interface list member set [find where list="WAN" interface=$wan dynamic=no] comment="quickset"
    /interface list member remove [find where list="WAN" interface!=$wan comment="quickset"]
    # It, and what carries it, may have been ports of the local network.
    :foreach port in=[:toarray ($wan . "," . $under)] do={
        /interface list member remove [find where list="LAN" interface=$port dynamic=no]
        /ip dhcp-server set [find where interface=$port] disabled=yes
        /ip address remove [find where interface=$port comment="defconf" dynamic=no]
        /interface bridge port remove [find where interface=$port dynamic=no]
    }
{% if bridge_ports %}
#part ports
{% else %}
    :foreach i in=[/interface ethernet find] do={
        :local port [/interface ethernet get $i name]
        /interface bridge port remove [find where interface=$port comment="quickset"]
    }
{% endif %}
{% if address_acquisition == "static" %}
{% set own_address = wan_address %}
    :local on $wan
#part address
#part gateway
{% else %}
    /ip route remove [find where comment="quickset"]
    /ip address remove [find where interface=$wan comment="quickset"]
{% endif %}
{% if address_acquisition == "automatic" %}
    # A modem has its address from its APN.
    :local modems [:toarray ""]
    :do {
        :local all [:parse ":return [/interface lte find where name=\$modem]"]
        :set modems [$all modem=$wan]
    } on-error={}
    :if (([:len [/ip dhcp-client find where interface=$wan]]=0) && ([:len $modems]=0)) do={
        /ip dhcp-client add interface=$wan comment="quickset"
    }
    /ip dhcp-client set [find where interface=$wan] use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no
{% else %}
    /ip dhcp-client remove [find where interface=$wan comment="quickset"]
    /ip dhcp-client set [find where interface=$wan] disabled=yes
{% endif %}
{% if address_acquisition == "pppoe" %}
    :if ([:len [/interface pppoe-client find where name="pppoe-out1"]]=0) do={
        /interface pppoe-client add name="pppoe-out1" interface=$wan user={{ pppoe_user }} password={{ pppoe_password }}
    }
    /interface pppoe-client set [find where name="pppoe-out1"] interface=$wan user={{ pppoe_user }} password={{ pppoe_password }} add-default-route=yes use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no comment="quickset"
    :if ([:len [/interface list member find where list="WAN" interface="pppoe-out1"]]=0) do={
        /interface list member add list="WAN" interface="pppoe-out1" comment="quickset: PPPoE"
    }
{% else %}
    /interface list member remove [find where list="WAN" comment="quickset: PPPoE"]
    /interface pppoe-client remove [find where comment="quickset"]
{% endif %}
    # Those of another port, and of a bridge.
    /ip dhcp-client remove [find where interface!=$wan comment="quickset"]
    /ip dhcp-client set [find where interface="bridge"] disabled=yes
    /ip address remove [find where interface!=$wan interface!="bridge" comment="quickset"]
}
{
#part uplink
    /ip dns set servers={% if dns_servers %}{{ dns_servers | join(sep=",") }}{% else %}""{% endif %}
}
{
#part uplink
    :local on "bridge"
{% set own_address = lan_address %}
#part address
{% if dhcp_server %}
    :local range {% if dhcp_first and dhcp_last %}{{ dhcp_first ~ "-" ~ dhcp_last }}{% else %}{{ (lan_address | host(n=10)) ~ "-" ~ (lan_address | host(n=-2)) }}{% endif %}
    :if ([:len [/ip pool find where name="quickset"]]=0) do={ /ip pool add name="quickset" ranges=$range }
    /ip pool set [find where name="quickset"] ranges=$range
    /ip dhcp-server network remove [find where comment="defconf"]
    :if ([:len [/ip dhcp-server network find where comment="quickset"]]=0) do={
        /ip dhcp-server network add address={{ lan_address | network }} comment="quickset"
    }
    /ip dhcp-server network set [find where comment="quickset"] address={{ lan_address | network }} gateway={{ lan_address | address }} dns-server={{ lan_address | address }}
    :if ([:len [/ip dhcp-server find where interface="bridge"]]=0) do={
        /ip dhcp-server add name="quickset" interface="bridge" address-pool="quickset"
    }
    /ip dhcp-server set [find where interface="bridge"] address-pool="quickset" disabled=no
{% else %}
    /ip dhcp-server set [find where interface="bridge"] disabled=yes
{% endif %}
}
{
#part uplink
    :if ([:len [/ip firewall nat find where comment="quickset: NAT"]]=0) do={
        /ip firewall nat add chain=srcnat action=masquerade out-interface-list="WAN" comment="quickset: NAT"
    }
    /ip firewall nat set [find where comment="quickset: NAT"] ipsec-policy=out,none disabled={% if nat %}no{% else %}yes{% endif %}
    /ip firewall nat remove [find where comment~"^defconf"]
}
{% if firewall and acs.url %}
# Whence connection requests may come: the host of the ACS's URL
:do {
    /ip firewall address-list remove [find where list="muster-acs"]
    /ip firewall address-list add list="muster-acs" address={{ acs.url | split(pat="://") | last | split(pat="/") | first | split(pat=":") | first }}
} on-error={ :log warning "muster-quickset: the ACS has no name that a firewall can look up" }
{% endif %}
{% if firewall %}
# All are made anew before those that drop the rest, which stay where somebody may have put them; then
# the old ones go, so that the board is never without.
{
#part uplink
    :local old [/ip firewall filter find where comment~"^quickset:" and comment!="quickset: in, others" and comment!="quickset: through, others"]
    :if ([:len [/ip firewall filter find where comment="quickset: in, others"]]=0) do={
        /ip firewall filter add chain=input action=drop in-interface-list=!LAN disabled=yes comment="quickset: in, others"
    }
    :if ([:len [/ip firewall filter find where comment="quickset: through, others"]]=0) do={
        /ip firewall filter add chain=forward action=drop connection-state=new connection-nat-state=!dstnat in-interface-list=WAN disabled=yes comment="quickset: through, others"
    }
    :local input [/ip firewall filter find where comment="quickset: in, others"]
    :local forward [/ip firewall filter find where comment="quickset: through, others"]
    /ip firewall filter add place-before=$input chain=input action=accept connection-state=established,related,untracked comment="quickset: in, answers"
    /ip firewall filter add place-before=$input chain=input action=drop connection-state=invalid comment="quickset: in, invalid"
    /ip firewall filter add place-before=$input chain=input action=accept protocol=icmp comment="quickset: in, ping"
    # A CAP of this board that talks to its CAPsMAN.
    /ip firewall filter add place-before=$input chain=input action=accept dst-address=127.0.0.1 comment="quickset: in, itself"
    /ip firewall filter add place-before=$input chain=input action=accept protocol=tcp dst-port=7547 src-address-list="muster-acs" comment="quickset: in, ACS"
{% if vpn_access %}
    /ip firewall filter add place-before=$input chain=input action=accept protocol=udp dst-port=500,1701,4500 comment="quickset: in, VPN"
    /ip firewall filter add place-before=$input chain=input action=accept protocol=ipsec-esp comment="quickset: in, ESP"
{% endif %}
    /ip firewall filter add place-before=$input chain=input action=accept protocol=udp dst-port=53,67 packet-mark="quickset-guests" comment="quickset: in, names and addresses"
    /ip firewall filter add place-before=$input chain=input action=drop packet-mark="quickset-guests" comment="quickset: in, guests"
    /ip firewall filter add place-before=$forward chain=forward action=accept ipsec-policy=in,ipsec comment="quickset: through, from IPsec"
    /ip firewall filter add place-before=$forward chain=forward action=accept ipsec-policy=out,ipsec comment="quickset: through, to IPsec"
    :do {
        :local fast [:parse "/ip firewall filter add place-before=\$at chain=forward action=fasttrack-connection connection-state=established,related hw-offload=yes comment=\"quickset: through, fast\""]
        $fast at=$forward
    } on-error={
        /ip firewall filter add place-before=$forward chain=forward action=fasttrack-connection connection-state=established,related comment="quickset: through, fast"
    }
    /ip firewall filter add place-before=$forward chain=forward action=accept connection-state=established,related,untracked comment="quickset: through, answers"
    /ip firewall filter add place-before=$forward chain=forward action=drop connection-state=invalid comment="quickset: through, invalid"
    /ip firewall filter add place-before=$forward chain=forward action=drop packet-mark="quickset-guests" out-interface-list=!WAN comment="quickset: through, guests"
    /ip firewall filter set $input disabled=no
    /ip firewall filter set $forward disabled=no
    :foreach i in=$old do={ /ip firewall filter remove $i }
    # Those that it came with, and those of the bootstrap.
    /ip firewall filter remove [find where comment~"^defconf"]
    /ip firewall filter remove [find where comment~"^muster:"]
}
# The same for IPv6, whose own default rules stay.
{
#part uplink
    :do {
        :local six [:parse (":local old [/ipv6 firewall filter find where comment~\"^quickset:\" and comment!=\"quickset: in, others\" and comment!=\"quickset: through, others\"]; " . \
            ":if ([:len [/ipv6 firewall filter find where comment=\"quickset: in, others\"]]=0) do={ /ipv6 firewall filter add chain=input action=drop in-interface-list=!LAN disabled=yes comment=\"quickset: in, others\" }; " . \
            ":if ([:len [/ipv6 firewall filter find where comment=\"quickset: through, others\"]]=0) do={ /ipv6 firewall filter add chain=forward action=drop connection-state=new in-interface-list=WAN disabled=yes comment=\"quickset: through, others\" }; " . \
            ":local input [/ipv6 firewall filter find where comment=\"quickset: in, others\"]; " . \
            ":local forward [/ipv6 firewall filter find where comment=\"quickset: through, others\"]; " . \
            "/ipv6 firewall filter add place-before=\$input chain=input action=accept connection-state=established,related,untracked comment=\"quickset: in, answers\"; " . \
            "/ipv6 firewall filter add place-before=\$input chain=input action=drop connection-state=invalid comment=\"quickset: in, invalid\"; " . \
            "/ipv6 firewall filter add place-before=\$input chain=input action=accept protocol=icmpv6 comment=\"quickset: in, ping\"; " . \
            "/ipv6 firewall filter add place-before=\$input chain=input action=accept protocol=udp dst-port=546 src-address=fe80::/10 comment=\"quickset: in, prefixes\"; " . \
            "/ipv6 firewall filter add place-before=\$input chain=input action=accept protocol=udp dst-port=53 packet-mark=quickset-guests comment=\"quickset: in, names\"; " . \
            "/ipv6 firewall filter add place-before=\$input chain=input action=drop packet-mark=quickset-guests comment=\"quickset: in, guests\"; " . \
            "/ipv6 firewall filter add place-before=\$forward chain=forward action=accept connection-state=established,related,untracked comment=\"quickset: through, answers\"; " . \
            "/ipv6 firewall filter add place-before=\$forward chain=forward action=drop connection-state=invalid comment=\"quickset: through, invalid\"; " . \
            "/ipv6 firewall filter add place-before=\$forward chain=forward action=accept protocol=icmpv6 comment=\"quickset: through, ping\"; " . \
            "/ipv6 firewall filter add place-before=\$forward chain=forward action=drop packet-mark=quickset-guests out-interface-list=!WAN comment=\"quickset: through, guests\"; " . \
            "/ipv6 firewall filter set \$input disabled=no; /ipv6 firewall filter set \$forward disabled=no; " . \
            ":foreach i in=\$old do={ /ipv6 firewall filter remove \$i }; " . \
            "/ipv6 firewall filter remove [/ipv6 firewall filter find where comment~\"^muster:\"]")]
        $six
    } on-error={ :log warning "muster-quickset: no rules for IPv6 on this board" }
}
{% else %}
{
#part uplink
    # Those of the bootstrap stay. A bridge mode has put them on the bridge, which is the local network now.
    :local out {% if address_acquisition == "pppoe" %}"pppoe-out1"{% else %}$wan{% endif %}
    /ip firewall filter set [find where comment="muster: others"] in-interface=$out
    :do {
        :local back [:parse "/ipv6 firewall filter set [/ipv6 firewall filter find where comment=\"muster: others\"] in-interface=\$out"]
        $back out=$out
    } on-error={}
    # Ours took the place of those that the board came with: without them it is as after the bootstrap, and
    # open to nobody.
    :if ([:len [/ip firewall filter find where comment="quickset: in, others"]] > 0) do={
        /ip firewall filter add chain=input action=accept connection-state=established,related comment="muster: answers"
        /ip firewall filter add chain=input action=accept protocol=tcp dst-port=7547 src-address-list="muster-acs" comment="muster: ACS"
        /ip firewall filter add chain=input action=drop in-interface=$out comment="muster: others"
    }
    /ip firewall filter remove [find where comment~"^quickset:"]
    :do {
        :local six [:parse (":if ([:len [/ipv6 firewall filter find where comment=\"quickset: in, others\"]] > 0) do={ " . \
            "/ipv6 firewall filter add chain=input action=accept connection-state=established,related comment=\"muster: answers\"; " . \
            "/ipv6 firewall filter add chain=input action=accept protocol=icmpv6 comment=\"muster: ping\"; " . \
            "/ipv6 firewall filter add chain=input action=accept protocol=udp dst-port=546 src-address=fe80::/10 comment=\"muster: prefixes\"; " . \
            "/ipv6 firewall filter add chain=input action=drop in-interface=\$out comment=\"muster: others\"; " . \
            "/ipv6 firewall filter add chain=forward action=drop connection-state=new in-interface=\$out comment=\"muster: through\" }; " . \
            "/ipv6 firewall filter remove [/ipv6 firewall filter find where comment~\"^quickset:\"]")]
        $six out=$out
    } on-error={}
}
{% endif %}

# Who may ask this board
{
#part uplink
{% if firewall %}
    # Only where the firewall stands.
    :if ([:len [/ip firewall filter find where comment="quickset: in, others" disabled=no]] > 0) do={
        /ip dns set allow-remote-requests=yes
    }
{% else %}
    /ip dns set allow-remote-requests=yes
{% endif %}
    /ip neighbor discovery-settings set discover-interface-list={% if mac_access %}LAN{% else %}none{% endif %}
    /tool mac-server set allowed-interface-list={% if mac_access %}LAN{% else %}none{% endif %}
    /tool mac-server mac-winbox set allowed-interface-list={% if mac_access %}LAN{% else %}none{% endif %}
}
{
#part uplink
{% if upnp %}
    :if ([:len [/ip upnp interfaces find where interface="bridge"]]=0) do={
        /ip upnp interfaces add interface="bridge" type=internal
    }
    :local out {% if address_acquisition == "pppoe" %}"pppoe-out1"{% else %}[/interface list member get [/interface list member find where list="WAN" comment="quickset"] interface]{% endif %}
    :if ([:len [/ip upnp interfaces find where type="external"]]=0) do={
        /ip upnp interfaces add interface=$out type=external
    }
    /ip upnp interfaces set [find where type="external"] interface=$out
    /ip upnp set enabled=yes
{% else %}
    /ip upnp set enabled=no
{% endif %}
}

# VPN
{
#part uplink
{% if vpn_access %}
    /ip cloud set ddns-enabled=yes
    :if ([:len [/ip pool find where name="quickset-vpn"]]=0) do={
        /ip pool add name="quickset-vpn" ranges=192.168.89.2-192.168.89.254
    }
    :if ([:len [/ppp profile find where name="quickset-vpn"]]=0) do={ /ppp profile add name="quickset-vpn" }
    # As if they were at home: they reach the router, and it gives them names.
    /ppp profile set [find where name="quickset-vpn"] local-address=192.168.89.1 remote-address="quickset-vpn" use-encryption=required interface-list=LAN dns-server=192.168.89.1
    :if ([:len [/ppp secret find where name="vpn"]]=0) do={
        /ppp secret add name="vpn" password={{ vpn_password }}
    }
    /ppp secret set [find where name="vpn"] password={{ vpn_password }} service=l2tp profile="quickset-vpn" disabled=no
    /interface l2tp-server server set enabled=yes use-ipsec=required ipsec-secret={{ vpn_password }} default-profile="quickset-vpn"
{% else %}
#part vpn-off
{% endif %}
}
