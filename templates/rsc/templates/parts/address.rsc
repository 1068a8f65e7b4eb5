    {
        # The new one first, and then the others go.
        :local kept false
        :local others [:toarray ""]
        :foreach i in=[/ip address find where interface=$on dynamic=no] do={
            :if ([:tostr [/ip address get $i address]] = {{ own_address }}) do={
                :set kept true
                /ip address set $i comment="quickset"
            } else={ :set others ($others, $i) }
        }
        :if (!$kept) do={ /ip address add address={{ own_address }} interface=$on comment="quickset" }
        :foreach i in=$others do={ /ip address remove $i }
    }
