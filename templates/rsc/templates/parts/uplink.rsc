    # The port to the Internet, by the name that it has or the one that it came with. Asked for in each
    # block, so that without one none of them changes anything.
    :local found ""
{% for name in uplinks %}
    :if ([:len $found]=0) do={ :set found [/interface find where name={{ name }}] }
    :if ([:len $found]=0) do={ :set found [/interface find where default-name={{ name }}] }
{% endfor %}
{% if tells_uplink %}
    :if ([:len $found]=0) do={ :log error ("muster-quickset: this board has no port to the Internet: " . {{ uplinks | join(sep=", ") }}) }
{% endif %}
    :local wan [/interface get $found name]
    # What carries it, where it is a VLAN: that is no port of the local network either.
    :local under $wan
    :while ([:len [/interface vlan find where name=$under]] > 0) do={
        :set under [/interface vlan get [/interface vlan find where name=$under] interface]
    }
    :local bound false
    :foreach i in=[/interface bonding find] do={
        :foreach port in=[:toarray [/interface bonding get $i slaves]] do={ :if ($port = $under) do={ :set bound true } }
    }
    :if ($bound || ([:len [/interface bridge find where name=$under]] > 0) || ([:len [/interface bonding find where name=$under]] > 0) || ([:len [/interface pppoe-client find where name=$under]] > 0)) do={
{% if tells_uplink %}
        :log error ("muster-quickset: what leads to the Internet is a port or a VLAN of one, and not " . $under)
{% endif %}
        # There is none of this name: it fails, and so is told.
        /interface get "no port to the Internet" name
    }
