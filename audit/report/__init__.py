"""Reports: made from `audit.json` alone; they measure nothing and reach no verdict."""
