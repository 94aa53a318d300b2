// Which organisations of the connected systems a site may belong to, as the server suggests. Ties nothing by itself.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import type { TicketingCandidate } from "../gen/waymark/v1/external_organization_pb.js";
import type { TicketingConnection } from "../gen/waymark/v1/ticketing_connection_pb.js";

/** Scores that differ by less are a tie: they are read as whole percents. */
const TIE_MAX = 0.005;

/** What is suggested of one system. */
export interface Proposal {
  system: string;
  candidates: TicketingCandidate[];
  /** Whether the first stands out. */
  clear: boolean;
  /** How many are as good as the first, itself among them; 0 where none ties with it. */
  tied: number;
  /** Organisations that were compared. */
  compared: number;
  /** Whether these are all. */
  complete: boolean;
  fault?: Fault;
}

export class LinkSuggestions {
  /** One for each system that was asked; absent while nobody asked. */
  proposals = $state.raw<Proposal[] | undefined>();
  loading = $state(false);

  #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Asks all of these systems for a site. */
  async load(site: string, connections: TicketingConnection[]): Promise<void> {
    this.loading = true;
    this.proposals = await Promise.all(connections.map((connection) => this.#ask(site, connection)));
    this.loading = false;
  }

  /** Leaves out a system, because the site has a link to it now. */
  settle(system: string): void {
    this.proposals = this.proposals?.filter((proposal) => proposal.system !== system);
    if (this.proposals?.length === 0) this.close();
  }

  close(): void {
    this.proposals = undefined;
  }

  async #ask(site: string, { name, system }: TicketingConnection): Promise<Proposal> {
    const nothing = { system, candidates: [], clear: false, tied: 0, compared: 0, complete: true };
    try {
      const answer = await this.#api.ticketing.suggestTicketingLinks({ connection: name, sites: [site] });
      const { candidates = [], clear = false } = answer.suggestions.find((one) => one.site === site) ?? {};
      const { organizationCount: compared, complete } = answer;
      return { system, candidates, clear, tied: clear ? 0 : tiedAmong(candidates), compared, complete };
    } catch (error) {
      return { ...nothing, fault: faultOf(error) };
    }
  }
}

/** How many of the candidates, which come with the best first, are as good as the first. */
function tiedAmong(candidates: TicketingCandidate[]): number {
  const best = candidates[0]?.score ?? 0;
  const tied = candidates.filter(({ score }) => best - score < TIE_MAX).length;
  return tied > 1 ? tied : 0;
}
