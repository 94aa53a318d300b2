// The words of what a fix rests on, for strings.ts.
import { DatabasePart } from "./gen/waymark/v1/evidence_pb.js";

export const evidence = {
  ownNetwork: "Own network",
  compared: "Compared",
  others: "Others",
  agree: (databases: string) => `agrees with ${databases}`,
  near: (databases: string) => `near what ${databases} says, and not the same place`,
  differ: (databases: string) => `doubtful: ${databases} says somewhere else`,
  says: (database: string, distance: string) => `another database, ${database}, says ${distance} from here`,
  silent: (database: string) => `another database, ${database}, says no place`,
  adds: (parts: string) => `and adds ${parts}`,
  outdated: "Its database was out of date when it was asked.",
  lowered: (networks: string, level: string) =>
    `Its address is of ${networks}, which says no more than the ${level}: nothing finer is claimed.`,
  /** What kinds of network lower a claim. */
  lowering: {
    anycast: "a network that is announced in many places at once",
    hosting: "a data centre",
    satellite: "a satellite network",
    mobile: "a network of mobile phones",
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
