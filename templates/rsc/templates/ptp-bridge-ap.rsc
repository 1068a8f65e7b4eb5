# Muster Quickset: PTP bridge AP. May run again. RouterOS 7; not verified on hardware.
# One end of a bridge over the air; the other one is PTP bridge CPE, with the same name and password.
{% set wifi_mode = "ap" %}{% set wlan_mode = "bridge" %}{% set is_bridged = true %}{% set is_mesh = false %}
{% set fast_name = wifi_name %}{% set fast_password = wifi_password %}{% set hide_name = false %}
{% set guest_name = "" %}{% set guest_password = "" %}
#part system
#part bridge
#part wireless
