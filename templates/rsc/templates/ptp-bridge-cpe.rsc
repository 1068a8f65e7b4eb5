# Muster Quickset: PTP bridge CPE. May run again. RouterOS 7; not verified on hardware.
# The other end of PTP bridge AP. It follows that one's channel. Looking for access points (Scan) cannot
# be done over CWMP. Where the way to the ACS goes over the air, give this end its settings first.
{% set wifi_mode = "station-bridge" %}{% set wlan_mode = "station-bridge" %}{% set is_bridged = true %}{% set is_mesh = false %}
{% set fast_name = wifi_name %}{% set fast_password = wifi_password %}{% set hide_name = false %}
{% set frequency = 0 %}{% set channel_width = "auto" %}{% set guest_name = "" %}{% set guest_password = "" %}
#part system
#part bridge
#part wireless
