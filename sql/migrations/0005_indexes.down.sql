drop index activities_live_idx, activities_user_live_idx;
drop function lifetime_key(timestamptz, timestamptz), lifetimes();
