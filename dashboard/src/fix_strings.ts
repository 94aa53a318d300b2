// The words of what a fix rests on, for strings.ts.
import { DatabasePart } from "./gen/waymark/v1/evidence_pb.js";

export const evidence = {
  ownNetwork: "Own network",
  within: (radius: string) => `Within ${radius}`,
  compared: "Compared",
  others: "Other databases",
  agree: (databases: string) => `Agrees with ${databases}`,
  near: (databases: string) => `Near the place according to ${databases}, but not the same place`,
  differ: (databases: string) => `Doubtful: another place according to ${databases}`,
  says: (database: string, distance: string) => `${database} gives a place ${distance} from here`,
  silent: (database: string) => `${database} gives no place`,
  adds: (parts: string) => `and adds ${parts}`,
  outdated: "The GeoIP database was out of date when it was asked.",
  lowered: (networks: string, level: string) =>
    `The IP address belongs to ${networks}, so its position is known to the ${level} at best.`,
  /** What kinds of network lower a claim. */
  lowering: {
    anycast: "a network that is announced in many places at once",
    hosting: "a data centre",
    satellite: "a satellite network",
    mobile: "a mobile network",
  },
  part: {
    [DatabasePart.COUNTRY]: "the country",
    [DatabasePart.REGION]: "the region",
    [DatabasePart.REGION_CODE]: "the region’s code",
    [DatabasePart.CITY]: "the city",
    [DatabasePart.POSTCODE]: "the postcode",
    [DatabasePart.TIME_ZONE]: "the time zone",
  } as Partial<Record<DatabasePart, string>>,
};
