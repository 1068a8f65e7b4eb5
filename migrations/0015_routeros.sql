-- Whether a device runs RouterOS, by the manufacturer that it gives: the same rule as `fleet::identity` has it.
create function is_routeros(manufacturer text) returns boolean
    language sql immutable parallel safe
    return lower(manufacturer) = 'mikrotik';
