{#- For the bench: a board that has no package `tr069-client` gets it over the Internet, and then reaches
this ACS; further script comes over HTTPS, if one is named. Not verified on hardware. These notes go to
no board; what does, with a CA, must fit into 4000 bytes.

What it does where the package is missing:

1. It waits for an address, at most 30 s. On the bench the port must lead to the Internet, or to a server
   of yours that has the packages (`packages_url`).
2. It fetches the package that fits its RouterOS and its architecture. Device-mode `home`, which is what
   home routers come with since RouterOS 7.17, does not let it: `bench-mode` changes that on boards with
   7.22 or later, and nothing but a hand on the button on those before.
3. Where it could not, it has RouterOS get the package itself from MikroTik (`check-for-updates`,
   `enable`): no device-mode is documented to forbid that. Not tried.
4. It restarts with the package, and sets the client when it gets its address again. For that the script
   of the DHCP client waits, as device-mode `home` has no scheduler. What it needs is kept as the text of
   scripts that nobody runs: so no value ever becomes part of a script. They are removed with the rest.

If all of that fails the board has a password, a firewall and an address, an error in its log, and tries
again with each new address. The other ways around the gap are in `bench-bootstrap`.

All of it must be over in 120 s: 30 for the ports, 2 for the CA, 30 for the address, and the downloads.
-#}
{% set url = acs_url | default(value=acs.url) -%}
{% set check = "" -%}
{% if ca_certificate or public_ca -%}
{% set check = " check-certificate=yes" -%}
{% endif -%}
# Muster. Not verified on hardware.
{% set is_tight = true -%}
#part acs
:do {
/ip dhcp-client
remove [find interface={{ wan_interface }}]
add interface={{ wan_interface }} disabled=no comment="muster"
} on-error={ $e DHCP }
:do {
/system script
remove [find name~"^muster-"]
add name=muster-a source={{ url }}
add name=muster-b source={% if acs_username %}{{ acs_username }}{% else %}{{ acs.username }}{% endif %}
add name=muster-c source={{ acs_password }}
add name=muster-d source={% if provisioning_code %}{{ provisioning_code }}{% elif board.mac %}{{ board.mac }}{% else %}""{% endif %}
} on-error={ $e scripts }
{# What sets the client, now or after the restart, and cleans up behind itself. -#}
:local s {{ '/tr069-client set acs-url=[/system script get muster-a source] username=[/system script get muster-b source] password=[/system script get muster-c source] provisioning-code=[/system script get muster-d source] periodic-inform-enabled=yes periodic-inform-interval=' ~ inform_interval ~ check ~ ' enabled=yes; /system script remove [find name~"^muster-"]; /ip dhcp-client set [find comment="muster"] script=""' }}
{# To parse it is to ask whether the menu is there. -#}
:local r false
:do {
:local client [:parse $s]
:set r true
$client
} on-error={ $e client }
:set n 0
:while (([:len [/ip dhcp-client find status=bound]]=0) && ($n < 30)) do={
:delay 1s
:set n ($n + 1)
}
{% if rest_url -%}
:do {
/tool fetch url={{ rest_url }} dst-path=m.rsc check-certificate=yes
/import m.rsc
/file remove m.rsc
} on-error={ $e script }
{% endif -%}
{# The package is signed by MikroTik, and a board takes no other: its server need not prove itself. -#}
:if (!$r) do={
:local v [/system resource get version]
:set v [:pick $v 0 [:find ($v . " ") " "]]
:local f ("tr069-client-" . $v . "-" . [/system resource get architecture-name] . ".npk")
:do {
/tool fetch url=({{ packages_url ~ "/" }} . $v . "/" . $f) dst-path=$f
:set r true
} on-error={
:do {
/system package update check-for-updates once
:delay 5s
/system package enable tr069-client
:set r true
} on-error={ $e tr069-client }
}
/ip dhcp-client set [find comment="muster"] script=$s
{# Since 7.18 a restart alone installs nothing. -#}
:if ($r) do={
:do {
:local apply [:parse "/system package apply-changes"]
$apply
} on-error={ /system reboot }
}
}
