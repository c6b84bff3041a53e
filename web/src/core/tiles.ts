/** Which calls a wallboard shows, and in how large tiles. No framework, no clock. */

/** What people can take in at a glance, and what fits at 1920x1080 with letters that are read at five metres. */
export const TILES_A_PAGE = 12;
/** Long enough to read twelve tiles, short enough that the last page is not old news. */
export const PAGE_MS = 10_000;

export interface Grid {
  columns: number;
  rows: number;
}

/** Few tiles are large tiles; 10 to 12 are three columns of four. */
export function gridFor(tiles: number): Grid {
  if (tiles <= 1) return { columns: 1, rows: 1 };
  if (tiles === 2) return { columns: 1, rows: 2 };
  if (tiles <= 4) return { columns: 2, rows: 2 };
  if (tiles <= 6) return { columns: 2, rows: 3 };
  if (tiles <= 9) return { columns: 3, rows: 3 };
  return { columns: 3, rows: 4 };
}

export interface WallPage {
  ids: readonly string[];
  /** From 1. */
  page: number;
  pages: number;
}

/** The page to show at `now`; pages take turns, each starting with the worst of its share. */
export function wallPage(ids: readonly string[], now: number): WallPage {
  const pages = Math.max(1, Math.ceil(ids.length / TILES_A_PAGE));
  const page = Math.floor(now / PAGE_MS) % pages;
  return { ids: ids.slice(page * TILES_A_PAGE, (page + 1) * TILES_A_PAGE), page: page + 1, pages };
}

/** The longest form of a name that fits: whole, first name with initial, first name. */
export function fitName(name: string, fits: (text: string) => boolean): string {
  const words = name.split(/\s+/).filter(Boolean);
  const [first = name] = words;
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  // "Anna 12" is a name with a number, not with an initial.
  const short = last && /^\d/.test(last) ? last : `${last?.[0]}.`;
  const forms = last ? [name, `${first} ${short}`, first] : [name];
  return forms.find(fits) ?? first;
}
