{# FlashFig runs it before the ports are there. At most 30 s of the 120 after which it is ended. #}
:local count 0
:while (([:len [/interface ethernet find]]=0) && ($count < 30)) do={
    :delay 1s
    :set count ($count + 1)
}
{# A board without a password is anybody's: the one that is given, or the one on its sticker. #}
{% if router_password %}
/user set [find where name="admin"] password={{ router_password }}
{% else %}
:global defconfPassword
:if ([:len $defconfPassword] > 0) do={
    /user set [find where name="admin"] password=$defconfPassword
}
{% endif %}
{# Certificates are gone after a reset, so the CA comes with each. One with an elliptic curve is small. #}
{% if ca_certificate %}
:do {
    /file print file=muster-ca.txt
    :delay 2s
    /file set muster-ca.txt contents={{ ca_certificate }}
    /certificate import file-name=muster-ca.txt passphrase=""
    /file remove muster-ca.txt
} on-error={ :log error "muster: no CA" }
{% elif public_ca %}
:do {
    :local trust [:parse "/certificate settings set builtin-trust-store=([/certificate settings get builtin-trust-store], \"tr069\")"]
    $trust
} on-error={ :log error "muster: no built-in CAs" }
{% endif %}
{# The firewall stands before the address comes: answers, connection requests of the ACS, no one else. #}
:do {
    /ip firewall address-list remove [find where list="muster-acs"]
    /ip firewall address-list add list="muster-acs" address={{ url | split(pat="://") | last | split(pat="/") | first | split(pat=":") | first }}
} on-error={}
/ip firewall filter
remove [find where comment~"^muster:"]
add chain=input action=accept connection-state=established,related comment="muster: answers"
add chain=input action=accept protocol=tcp dst-port=7547 src-address-list="muster-acs" comment="muster: ACS"
add chain=input action=drop in-interface={{ wan_interface }} comment="muster: others"
