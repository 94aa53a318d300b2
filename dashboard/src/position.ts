// A position in degrees on WGS 84, as everything on this page passes it on. The API's LatLng is one.
export interface Position {
  /** In [-90, 90], north positive. */
  lat: number;
  /** In [-180, 180], east positive. */
  lng: number;
}
