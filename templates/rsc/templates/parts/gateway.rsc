    :if ([:len [/ip route find where comment="quickset"]]=0) do={
        /ip route add dst-address=0.0.0.0/0 gateway={{ wan_gateway }} comment="quickset"
    }
    /ip route set [find where comment="quickset"] gateway={{ wan_gateway }} disabled=no
