    # Somebody else's stays.
    :if ([:tostr [/interface l2tp-server server get default-profile]] = "quickset-vpn") do={
        /interface l2tp-server server set enabled=no use-ipsec=no ipsec-secret="" default-profile=default-encryption
    }
    /ppp secret remove [find where name="vpn" profile="quickset-vpn"]
    /ppp profile remove [find where name="quickset-vpn"]
    /ip pool remove [find where name="quickset-vpn"]
