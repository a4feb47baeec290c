/* The table that cruddurd --routes prints. */
#ifndef CRUDDUR_API_ROUTE_TABLE_H
#define CRUDDUR_API_ROUTE_TABLE_H

#include <stdio.h>

/* Prints one line for each route, then an empty line, then one line for each code that a
 * response may have. Both parts begin with the names of their columns. Columns are separated by
 * blanks; "-" is an empty column, and a comma separates several values of one. */
void route_table_print(FILE *out);

#endif
