# Muster Quickset: CPE. May run again. RouterOS 7; not verified on hardware.
# A client of a provider's access point. As a router its radio is the port to the provider, and every
# Ethernet port belongs to the local network: a board that reaches its ACS over Ethernet now will not
# do so any more. Looking for access points (Scan) cannot be done over CWMP.
{% set is_bridged = configuration == "bridge" %}{% set is_mesh = false %}
{% set wifi_mode = "station-bridge" if is_bridged else "station" %}{% set wlan_mode = wifi_mode %}
{% set fast_name = wifi_name %}{% set fast_password = wifi_password %}{% set hide_name = false %}
{% set frequency = 0 %}{% set channel_width = "auto" %}{% set guest_name = "" %}{% set guest_password = "" %}
{% set uplinks = ["wifi1", "wlan1"] if wan_interface == "" or wan_interface == "auto" else [wan_interface] %}
#part system
{% if configuration == "bridge" %}
#part bridge
{% else %}
#part router
{% endif %}
#part wireless
