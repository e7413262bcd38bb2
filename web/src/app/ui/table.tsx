// A table that becomes a list of cards where there is no room for columns. Roles are spelled out because browsers
// forget them when a table is laid out as something else.

import type { ComponentChildren, JSX } from "preact";

import { Button, Empty, Loading, Trouble } from "./basics";
import type { IconName } from "./icons";

export interface Column<T> {
  head: string;
  cell: (row: T) => ComponentChildren;
  /** Figures stand at the right. */
  figure?: boolean;
  /** Buttons: no heading is shown above them. */
  deeds?: boolean;
}

export function Table<T>({ label, columns, rows, keyOf }: { label: string; columns: Column<T>[]; rows: T[]; keyOf: (row: T) => string | number }): JSX.Element {
  const looks = (column: Column<T>) => (column.deeds ? "deeds" : column.figure ? "figure-cell" : "");
  return (
    <table class="table" role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.head} role="columnheader" scope="col" class={looks(column)}>
              <span class={column.deeds ? "unseen" : ""}>{column.head}</span>
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row">
            {columns.map((column) => (
              <td key={column.head} role="cell" class={looks(column)} data-label={column.deeds ? undefined : column.head}>
                {column.cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export interface ListProps<T> {
  label: string;
  columns: Column<T>[];
  keyOf: (row: T) => string | number;
  list: Listing<T>;
  empty: { icon: IconName; title: string; text?: ComponentChildren };
}

/** What a list that comes in pages is at. */
export interface Listing<T> {
  rows: T[] | undefined;
  error: unknown;
  hasMore: boolean;
  isLoading: boolean;
  more: () => void;
  reload: () => void;
}

/** A table of what comes in pages. */
export function List<T>({ label, columns, keyOf, list, empty }: ListProps<T>): JSX.Element {
  if (list.rows === undefined) return list.error === undefined ? <Loading /> : <Trouble error={list.error} again={list.reload} />;
  if (list.rows.length === 0) {
    return (
      <Empty icon={empty.icon} title={empty.title}>
        {empty.text}
      </Empty>
    );
  }
  return (
    <>
      {list.error !== undefined && <Trouble error={list.error} again={list.reload} />}
      <Table label={label} columns={columns} rows={list.rows} keyOf={keyOf} />
      {list.hasMore && (
        <p class="more">
          <Button busy={list.isLoading} onClick={list.more}>
            Show more
          </Button>
        </p>
      )}
    </>
  );
}
