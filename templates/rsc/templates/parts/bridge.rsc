{% set is_router = false %}{% set uplinks = [] %}{% set tells_uplink = false %}
{% if address_acquisition == "pppoe" %}
{{ throw(message="a bridge has no PPPoE: `address_acquisition` is automatic or static") }}
{% endif %}
{% if address_acquisition == "static" and not (wan_address and wan_gateway and dns_servers) %}
{{ throw(message="a static address needs `wan_address`, `wan_gateway` and `dns_servers`: nobody else tells them") }}
{% endif %}

# Bridge: all ports in one; the board's own address is on it
{
    :local on "bridge"
    :local wan ""
    :local under ""
    :if ([:len [/interface bridge find where name=$on]]=0) do={
        /interface bridge add name="bridge" comment="quickset"
    }
    # What a router has and a bridge has not.
    /ip dhcp-server set [find where interface=$on] disabled=yes
    /ip firewall filter remove [find where comment~"^quickset:"]
    /ip firewall nat remove [find where comment~"^quickset:"]
    :do {
        :local six [:parse "/ipv6 firewall filter remove [/ipv6 firewall filter find where comment~\"^quickset:\"]"]
        $six
    } on-error={}
    /interface list member remove [find where list="WAN" comment~"^quickset"]
    /interface pppoe-client remove [find where comment="quickset"]
    /ip upnp set enabled=no
#part vpn-off
{% if address_acquisition == "static" %}
{% set own_address = wan_address %}
#part address
#part gateway
{% else %}
    :if ([:len [/ip dhcp-client find where interface=$on]]=0) do={
        /ip dhcp-client add interface=$on comment="quickset"
    }
    /ip dhcp-client set [find where interface=$on] use-peer-dns={% if dns_servers %}no{% else %}yes{% endif %} disabled=no
{% endif %}
    /ip dns set allow-remote-requests=no servers={% if dns_servers %}{{ dns_servers | join(sep=",") }}{% else %}""{% endif %}
    # What the bootstrap lets in goes on to be all that is let in. A rule for a port of a bridge is dead.
    /ip firewall filter set [find where comment="muster: others"] in-interface=$on
    :do {
        :local six [:parse "/ipv6 firewall filter set [/ipv6 firewall filter find where comment=\"muster: others\"] in-interface=bridge"]
        $six
    } on-error={}
    # Last, since from here on the board is reached by its new address.
#part ports
{% if address_acquisition == "static" %}
    /ip dhcp-client remove [find where comment="quickset"]
    /ip dhcp-client set [find where interface=$on] disabled=yes
{% else %}
    /ip dhcp-client remove [find where comment="quickset" interface!=$on]
    /ip address remove [find where interface=$on dynamic=no]
    /ip route remove [find where comment="quickset"]
{% endif %}
    /ip address remove [find where comment="quickset" interface!=$on]
}
