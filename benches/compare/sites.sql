-- The sites as a user of PostGIS would keep them: a point on the globe for metres, one on the map for tiles, both indexed.
CREATE EXTENSION postgis;
CREATE TABLE sites (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  status smallint NOT NULL,
  lng double precision NOT NULL,
  lat double precision NOT NULL,
  position geography(Point, 4326) GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(lng, lat), 4326)::geography) STORED,
  at geometry(Point, 3857) GENERATED ALWAYS AS (ST_Transform(ST_SetSRID(ST_MakePoint(lng, lat), 4326), 3857)) STORED
);
\copy sites (id, name, status, lng, lat) FROM pstdin WITH (FORMAT csv)
CREATE INDEX ON sites USING gist (position);
CREATE INDEX ON sites USING gist (at);
VACUUM ANALYZE sites;
