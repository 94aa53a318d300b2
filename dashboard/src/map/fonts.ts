// The page's font, handed to the map so that it needs no glyph server. Each file is loaded when a letter of it is drawn.
import cyrillic from "@fontsource/noto-sans/files/noto-sans-cyrillic-600-normal.woff2?url";
import greek from "@fontsource/noto-sans/files/noto-sans-greek-600-normal.woff2?url";
import latinExtended from "@fontsource/noto-sans/files/noto-sans-latin-ext-600-normal.woff2?url";
import latin from "@fontsource/noto-sans/files/noto-sans-latin-600-normal.woff2?url";
import vietnamese from "@fontsource/noto-sans/files/noto-sans-vietnamese-600-normal.woff2?url";

/** The name that layers ask for in `text-font`. */
export const FONT = "Noto Sans Semibold";

/** MapLibre's `font-faces`. Letters of other scripts fall to the browser's own fonts. */
export const FONT_FACES = {
  [FONT]: [
    face(latin, ["U+0000-00FF", "U+0131", "U+0152-0153", "U+02BB-02BC", "U+2000-206F", "U+20AC", "U+2122"]),
    face(vietnamese, ["U+0102-0103", "U+0110-0111", "U+01A0-01A1", "U+01AF-01B0", "U+1EA0-1EF9", "U+20AB"]),
    face(latinExtended, ["U+0100-02BA", "U+1E00-1E9F", "U+20A0-20AB", "U+2C60-2C7F", "U+A720-A7FF"]),
    face(cyrillic, ["U+0400-045F", "U+0490-0491", "U+04B0-04B1", "U+2116"]),
    face(greek, ["U+0370-03FF"]),
  ],
};

function face(url: string, ranges: string[]): { url: string; "unicode-range": string[] } {
  return { url: new URL(url, location.href).href, "unicode-range": ranges };
}
