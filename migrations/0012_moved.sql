-- Renaming sites.

-- The path of a site at or below `was`, once that is called `becomes`. It itself is a case of its own:
-- subpath() refuses an offset at the path's very end.
create function moved(site ltree, was ltree, becomes ltree) returns ltree
language sql immutable parallel safe
return case when site = was then becomes else becomes || subpath(site, nlevel(was)) end;
