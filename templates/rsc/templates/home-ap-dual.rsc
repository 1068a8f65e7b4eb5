# Muster Quickset: Home AP dual. May run again. RouterOS 7; not verified on hardware.
# As Home AP, with a name and a password for each of the two bands.
{% set wifi_mode = "ap" %}{% set wlan_mode = "ap-bridge" %}{% set is_bridged = true %}{% set is_mesh = false %}
{% set fast_name = wifi_5ghz_name %}{% set fast_password = wifi_5ghz_password %}{% set hide_name = false %}
{% set uplinks = [wan_interface] %}
#part system
#part router
#part wireless
