{% set url = acs_url | default(value=acs.url) %}
# Muster bootstrap. Ends within 50 s of the 120 that a board allows. Not verified on hardware.
# 1. Wait until the ports are there
:local count 0
:while (([:len [/interface ethernet find]]=0) && ($count < 30)) do={
    :delay 1s
    :set count ($count + 1)
}
# 2. Who may log in: after a reset anybody may
{% if router_password %}
/user set [find where name="admin"] password={{ router_password }}
{% else %}
:global defconfPassword
:if ([:len $defconfPassword] > 0) do={
    /user set [find where name="admin"] password=$defconfPassword
}
{% endif %}
# 3. Whom the client trusts: certificates are gone after a reset
{% if ca_certificate %}
:do {
    /file print file=muster-ca.txt
    :delay 2s
    /file set muster-ca.txt contents={{ ca_certificate }}
    /certificate import file-name=muster-ca.txt passphrase=""
    /file remove muster-ca.txt
} on-error={ :log error "muster-bootstrap: the CA was not imported" }
{% elif public_ca %}
:do {
    :local trust [:parse "/certificate settings set builtin-trust-store=([/certificate settings get builtin-trust-store], \"tr069\")"]
    $trust
} on-error={ :log error "muster-bootstrap: no built-in CAs on this RouterOS" }
{% endif %}
# 4. An address
:if ([:len [/ip dhcp-client find where interface={{ wan_interface }}]]=0) do={
    /ip dhcp-client add interface={{ wan_interface }} disabled=no
}
# 5. Firewall: answers, and connection requests of the ACS
/ip firewall filter remove [find where comment~"^muster:"]
:do {
    /ip firewall address-list remove [find where list="muster-acs"]
    /ip firewall address-list add list="muster-acs" address={{ url | split(pat="://") | last | split(pat="/") | first | split(pat=":") | first }}
} on-error={}
/ip firewall filter add chain=input action=accept connection-state=established,related comment="muster: answers"
/ip firewall filter add chain=input action=accept protocol=tcp dst-port=7547 src-address-list="muster-acs" comment="muster: ACS"
/ip firewall filter add chain=input action=drop in-interface={{ wan_interface }} comment="muster: others"
:do { /ip neighbor discovery-settings set discover-interface-list=none } on-error={}
# 6. The client, a package of its own. A script that names a menu which is not there is refused as a
#    whole; a text that is parsed when its turn comes is not.
:do {
    :local client [:parse ("/tr069-client set acs-url=\$url username=\$user password=\$key provisioning-code=\$code " . \
        "periodic-inform-enabled=yes periodic-inform-interval=\$every enabled=yes")]
    $client url={{ url }} user={% if acs_username %}{{ acs_username }}{% else %}{{ acs.username }}{% endif %} key={{ acs_password }} code={% if provisioning_code %}{{ provisioning_code }}{% else %}""{% endif %} every={{ inform_interval }}
{% if ca_certificate or public_ca %}
    :local check [:parse "/tr069-client set check-certificate=yes"]
    $check
{% endif %}
} on-error={ :log error "muster-bootstrap: this board has no package tr069-client" }
