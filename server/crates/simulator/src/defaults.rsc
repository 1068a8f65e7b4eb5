/interface bridge add name=bridge admin-mac=own auto-mac=no comment=defconf
/interface list add name=WAN comment=defconf
/interface list add name=LAN comment=defconf
:foreach port in=[/interface ethernet find where default-name!=ether1] do={
    /interface bridge port add bridge=bridge interface=[/interface ethernet get $port name] comment=defconf
}
/interface list member add list=LAN interface=bridge comment=defconf
/interface list member add list=WAN interface=ether1 comment=defconf
/ip address add address=192.168.88.1/24 interface=bridge comment=defconf
/ip dhcp-client add interface=ether1 comment=defconf
/ip pool add name=default-dhcp ranges=192.168.88.10-192.168.88.254
/ip dhcp-server add name=defconf interface=bridge address-pool=default-dhcp
/ip dhcp-server network add address=192.168.88.0/24 gateway=192.168.88.1 dns-server=192.168.88.1 comment=defconf
/ip dns set allow-remote-requests=yes
/ip firewall filter add chain=input action=accept connection-state=established,related comment=defconf
/ip firewall filter add chain=input action=drop in-interface=ether1 comment=defconf
/ip firewall nat add chain=srcnat action=masquerade out-interface=ether1 comment=defconf
