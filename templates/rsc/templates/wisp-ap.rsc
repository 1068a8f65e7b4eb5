# Muster Quickset: WISP AP. May run again. RouterOS 7; not verified on hardware.
# An access point of a provider, as a router or as a bridge. The driver of 802.11ac and older radios
# has the provider's own protocols (nstreme, nv2) as well: these are not set here.
{% set wifi_mode = "ap" %}{% set wlan_mode = "ap-bridge" %}{% set is_bridged = true %}{% set is_mesh = false %}
{% set fast_name = wifi_name %}{% set fast_password = wifi_password %}
{% set guest_name = "" %}{% set guest_password = "" %}
{% set uplinks = [wan_interface] %}
#part system
{% if configuration == "bridge" %}
#part bridge
{% else %}
#part router
{% endif %}
#part wireless
