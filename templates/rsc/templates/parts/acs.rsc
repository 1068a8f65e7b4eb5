{# Each byte counts here: FlashFig takes 4000. What fails is told, and keeps nothing else from being done.

   FlashFig runs it before the ports are there. At most 30 s of the 120 after which it is ended. -#}
:local e do={ :log error "muster: no $1" }
:local n 0
:while (([:len [/interface ethernet find]]=0) && ($n < 30)) do={
:delay 1s
:set n ($n + 1)
}
{# A board without a password is anybody's: the one that is given, or the one on its sticker. -#}
:global defconfPassword
:do {
{% if router_password -%}
/user set admin password={{ router_password }}
{% else -%}
:if ([:len $defconfPassword]=0) do={ $e password } else={ /user set admin password=$defconfPassword }
{% endif -%}
} on-error={ $e password }
{# Certificates are gone after a reset, so the CA comes with each. One with an elliptic curve is small. -#}
{% if ca_certificate -%}
:do {
/file print file=m.txt
:delay 2s
/file set m.txt contents={{ ca_certificate }}
/certificate import file-name=m.txt passphrase=""
/file remove m.txt
} on-error={ $e CA }
{% elif public_ca -%}
:do {
:local t [:parse "/certificate settings set builtin-trust-store=fetch,mqtt,email,netwatch,container,dns,www,tr069"]
$t
} on-error={
:do {
:local t [:parse "/certificate settings set builtin-trust-anchors=trusted"]
$t
} on-error={ $e CA }
}
{% endif -%}
{# The firewall stands before the address comes: answers, connection requests of the ACS, no one else. -#}
:do {
/ip firewall address-list
remove [find list="muster-acs"]
add list="muster-acs" address={{ url | split(pat="://") | last | split(pat="/") | first | split(pat=":") | first }}
} on-error={}
:do {
/ip firewall filter
remove [find comment~"^muster:"]
add chain=input connection-state=established,related comment="muster: answers"
add chain=input protocol=tcp dst-port=7547 src-address-list="muster-acs" comment="muster: ACS"
add chain=input action=drop in-interface={{ wan_interface }} comment="muster: others"
} on-error={ $e firewall }
:do {
/ip neighbor discovery-settings set discover-interface-list=none
/tool mac-server
set allowed-interface-list=none
mac-winbox set allowed-interface-list=none
} on-error={ $e "MAC lists" }
{# RouterOS 6 has IPv6 only with a package, and a board without it needs no rules. -#}
:do {
:local f [:parse ("/ipv6 firewall filter\nremove [find comment~\"^muster:\"]\n" . \
{% if not is_tight -%}
"add comment=\"muster:\" chain=input connection-state=established,related\n" . \
"add comment=\"muster:\" chain=input connection-state=invalid action=drop\n" . \
"add comment=\"muster:\" chain=input protocol=icmpv6\n" . \
"add comment=\"muster:\" chain=input protocol=udp dst-port=546 src-address=fe80::/10\n" . \
{% endif -%}
"add comment=\"muster: others\" chain=input action=drop in-interface=\$wan\n" . \
"add comment=\"muster:\" chain=forward action=drop connection-state=new in-interface=\$wan")]
$f wan={{ wan_interface }}
} on-error={}
