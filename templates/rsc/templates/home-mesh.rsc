# Muster Quickset: Home mesh. May run again. RouterOS 7; not verified on hardware.
# The first board of a Wi-Fi network of several: a router that looks after the radios of all, its own
# among them (CAPsMAN). The others are CAPs: give them the template cap.
{% set wifi_mode = "ap" %}{% set wlan_mode = "ap-bridge" %}{% set is_bridged = true %}{% set is_mesh = true %}
{% set fast_name = wifi_name %}{% set fast_password = wifi_password %}{% set hide_name = false %}
{% set frequency = 0 %}{% set channel_width = "auto" %}{% set guest_name = "" %}{% set guest_password = "" %}
{% set uplinks = [wan_interface] %}
#part system
#part router
#part wireless
