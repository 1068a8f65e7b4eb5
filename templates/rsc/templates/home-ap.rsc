# Muster Quickset: Home AP. May run again. RouterOS 7; not verified on hardware.
# One board with a Wi-Fi network of one name on all its radios, and a router behind it. What Quickset
# shows besides (clients, WPS button, check for updates) is no configuration: see the device's page.
{% set wifi_mode = "ap" %}{% set wlan_mode = "ap-bridge" %}{% set is_bridged = true %}{% set is_mesh = false %}
{% set fast_name = wifi_name %}{% set fast_password = wifi_password %}{% set hide_name = false %}
{% set uplinks = [wan_interface] %}
#part system
#part router
#part wireless
