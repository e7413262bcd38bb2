// The library: everything an account has, found, sorted and changed in place.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Asset, Visibility } from "../api/types";
import { count, plural } from "../../shared/format";
import { useEvents, useSoon } from "../live/use";
import { Heading, rewrite, usePlace } from "../router";
import { refresh as refreshAccount, useAccount } from "../session";
import { useStore } from "../store";
import { Button, ButtonLink, Check, Empty, Select, Trouble } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { type Deed, Menu } from "../ui/menu";
import { Tags } from "../ui/tags";
import { complain, say } from "../ui/toast";
import { VISIBILITY_SHORT, titleOf } from "../words";
import { AUDIENCE, change, changeEach, copy, discard, restore, retry, watchLink } from "./deeds";
import { AssetList, type Query } from "./list";
import { Blank, Row } from "./row";
import { UploadsAtWork } from "./uploads";
import { Virtual } from "./virtual";

const SORTS = [
  { value: "-created", label: "Newest first" },
  { value: "created", label: "Oldest first" },
  { value: "title", label: "Title A–Z" },
  { value: "-title", label: "Title Z–A" },
  { value: "-size", label: "Largest first" },
  { value: "size", label: "Smallest first" },
  { value: "-duration", label: "Longest first" },
  { value: "duration", label: "Shortest first" },
];
const STATES = [
  { value: "", label: "Any state" },
  { value: "processing", label: "Being prepared" },
  { value: "playable", label: "Playable" },
  { value: "ready", label: "Ready" },
  { value: "failed", label: "Failed" },
  { value: "uploaded", label: "File only" },
];
const AUDIENCES = [
  { value: "", label: "Any visibility" },
  { value: "private", label: "Private" },
  { value: "unlisted", label: "Unlisted" },
  { value: "public", label: "Public" },
];
/** The height of a row, as in library.css. */
const ROW = { wide: 84, narrow: 124 };
const NARROW = "(max-width: 760px)";
const SEARCH_AFTER_MS = 250;

export function LibraryPage(): JSX.Element {
  const account = useAccount();
  const { query: address } = usePlace();
  const query: Query = {
    q: address.get("q") ?? "",
    state: address.get("state") ?? "",
    visibility: address.get("visibility") ?? "",
    tag: address.get("tag") ?? "",
    sort: address.get("sort") ?? "-created",
    trashed: address.has("trash"),
    all: account.role === "admin" && address.has("everyone"),
  };
  const [list, setList] = useState(() => new AssetList(query));
  const key = JSON.stringify(query);
  useEffect(() => {
    if (JSON.stringify(list.query) === key) return;
    setList(new AssetList(query));
    setChosen(new Map());
  }, [key]);
  useEffect(() => () => list.end(), [list]);
  const view = useStore(list.view);
  const [chosen, setChosen] = useState<Map<string, Asset>>(new Map());
  const [renaming, setRenaming] = useState<string>();
  const height = useMatch(NARROW) ? ROW.narrow : ROW.wide;
  const reload = () => void list.refresh();
  const soon = useSoon(reload);

  useEvents((event) => {
    // An administrator hears of everybody's; what is in nobody's list here is left alone.
    if (!query.all && event.account !== undefined && event.account !== account.id) return;
    if (event.type === "upload.finished") soon();
    else list.hear(event);
  }, reload);

  const choose = (asset: Asset, isChosen: boolean) => {
    const next = new Map(chosen);
    if (isChosen) next.set(asset.id, asset);
    else next.delete(asset.id);
    setChosen(next);
  };
  // As the list has them, which may be newer than when they were chosen.
  const now = (): Asset[] => {
    const listed = new Map(view.assets.map((asset) => [asset.id, asset]));
    return [...chosen.values()].map((asset) => listed.get(asset.id) ?? asset);
  };
  const changed = (asset: Asset) => {
    list.patch(asset.id, asset);
    setChosen((before) => (before.has(asset.id) ? new Map(before).set(asset.id, asset) : before));
  };
  const gone = (ids: Set<string>) => {
    list.drop(ids);
    setChosen((before) => new Map([...before].filter(([id]) => !ids.has(id))));
    void refreshAccount();
  };
  const rename = async (asset: Asset, title: string | undefined) => {
    setRenaming(undefined);
    if (title === undefined) return;
    list.patch(asset.id, { title });
    try {
      list.patch(asset.id, await change(asset.id, { title }));
    } catch (error) {
      list.patch(asset.id, { title: asset.title ?? null });
      complain(error);
    }
  };
  const show = async (asset: Asset, visibility: Visibility) => {
    try {
      list.patch(asset.id, await change(asset.id, { visibility }));
      say(AUDIENCE[visibility]);
    } catch (error) {
      complain(error);
    }
  };
  const deeds = (asset: Asset): Deed[] => {
    if (query.trashed) return [{ label: "Restore", icon: "again", run: () => void restore([asset], gone) }];
    const isMine = asset.owner === undefined || asset.owner === null || asset.owner.id === account.id;
    const others = (["private", "unlisted", "public"] as const).filter((it) => it !== asset.visibility);
    return [
      { label: "Open", icon: "play", href: `/library/${asset.id}` },
      { label: "Rename", icon: "edit", run: () => setRenaming(asset.id) },
      ...(asset.visibility === "private" ? [] : [{ label: "Copy link", icon: "link" as const, run: () => void copy(watchLink(asset.id), "Link") }]),
      ...(asset.state === "failed" ? [{ label: "Try again", icon: "again" as const, run: () => void retry(asset).then(() => say("It is being tried again."), complain) }] : []),
      ...(isMine ? others.map((it, n) => ({ label: `Make ${VISIBILITY_SHORT[it].label.toLowerCase()}`, icon: VISIBILITY_SHORT[it].icon, apart: n === 0, run: () => void show(asset, it) })) : []),
      { label: "Delete", icon: "trash", danger: true, apart: true, run: () => void discard([asset], gone, reload) },
    ];
  };

  const isFiltered = query.q !== "" || query.state !== "" || query.visibility !== "" || query.tag !== "";
  const title = query.trashed ? "Trash" : query.all ? "Everyone’s videos" : "Library";
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <Heading title={title} />
          <p class="quiet" role="status">
            {view.isNew ? "" : plural(view.total, "video")}
          </p>
        </div>
        <div class="row-of-buttons">
          {query.trashed ? (
            <ButtonLink href="/library" icon="left">
              Library
            </ButtonLink>
          ) : (
            <>
              <Menu
                label="More of the library"
                deeds={[
                  { label: "Trash", icon: "trash", href: "/library?trash" },
                  ...(account.role === "admin"
                    ? [query.all ? { label: "Only my videos", icon: "person" as const, href: "/library" } : { label: "Everyone’s videos", icon: "globe" as const, href: "/library?everyone" }]
                    : []),
                ]}
              />
              {account.role !== "viewer" && (
                <ButtonLink href="/upload" kind="primary" icon="upload">
                  Upload
                </ButtonLink>
              )}
            </>
          )}
        </div>
      </header>
      {query.trashed && <p class="quiet">What is here is removed for good after a while. Nobody can watch it meanwhile.</p>}
      <Filters query={query} />
      {!query.trashed && !query.all && !isFiltered && <UploadsAtWork />}
      {chosen.size > 0 ? (
        <Bulk chosen={now()} isTrash={query.trashed} changed={changed} gone={gone} clear={() => setChosen(new Map())} reload={reload} />
      ) : null}
      {view.error !== undefined && <Trouble error={view.error} again={() => list.again()} />}
      {!view.isNew && view.total > 0 && (
        <div class="list-head">
          <Check
            label={chosen.size > 0 ? `${count(chosen.size)} selected` : "Select all that are shown"}
            checked={chosen.size > 0 && chosen.size >= view.assets.length}
            some={chosen.size > 0 && chosen.size < view.assets.length}
            onChange={(all) => setChosen(all ? new Map(view.assets.map((asset) => [asset.id, asset])) : new Map())}
          />
        </div>
      )}
      {view.isNew && view.error === undefined && (
        <div aria-hidden="true">
          <Blank />
          <Blank />
          <Blank />
        </div>
      )}
      {!view.isNew && view.total === 0 && <Nothing isFiltered={isFiltered} isTrash={query.trashed} mayUpload={account.role !== "viewer"} />}
      {!view.isNew && view.total > 0 && (
        <Virtual
          label={title}
          count={view.total}
          height={height}
          seen={(last) => list.want(last)}
          row={(index) => {
            const asset = view.assets[index];
            if (asset === undefined) return <Blank key={`blank-${index}`} />;
            return (
              <Row
                key={asset.id}
                asset={asset}
                index={index}
                total={view.total}
                isChosen={chosen.has(asset.id)}
                isRenaming={renaming === asset.id}
                showsOwner={query.all}
                isTrash={query.trashed}
                deeds={deeds(asset)}
                choose={(isChosen) => choose(asset, isChosen)}
                rename={(text) => void rename(asset, text)}
                filterBy={(tag) => rewrite({ tag })}
              />
            );
          }}
        />
      )}
    </div>
  );
}

function Filters({ query }: { query: Query }): JSX.Element {
  const [text, setText] = useState(query.q);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const written = useRef(query.q);
  useEffect(() => {
    // The address has changed by other ways than this field.
    if (query.q !== written.current) setText(query.q);
    written.current = query.q;
  }, [query.q]);
  const search = (words: string) => {
    setText(words);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      written.current = words.trim();
      rewrite({ q: words.trim() });
    }, SEARCH_AFTER_MS);
  };
  return (
    <form class="filters" role="search" aria-label="Videos" onSubmit={(event) => event.preventDefault()}>
      <div class="search">
        <Icon name="search" size={18} />
        <input type="search" value={text} placeholder="Search titles, descriptions and tags" aria-label="Search" onInput={(event) => search(event.currentTarget.value)} />
      </div>
      <Select label="State" hideLabel value={query.state} options={STATES} onChange={(state) => rewrite({ state })} />
      <Select label="Visibility" hideLabel value={query.visibility} options={AUDIENCES} onChange={(visibility) => rewrite({ visibility })} />
      <Select label="Order" hideLabel value={query.sort} options={SORTS} onChange={(sort) => rewrite({ sort: sort === "-created" ? undefined : sort })} />
      {query.tag !== "" && (
        <span class="tag set">
          <bdi>{query.tag}</bdi>
          <button type="button" aria-label={`Do not filter by the tag ${query.tag}`} onClick={() => rewrite({ tag: undefined })}>
            <Icon name="close" size={12} />
          </button>
        </span>
      )}
    </form>
  );
}

interface BulkProps {
  chosen: Asset[];
  isTrash: boolean;
  changed: (asset: Asset) => void;
  gone: (ids: Set<string>) => void;
  clear: () => void;
  reload: () => void;
}

function Bulk({ chosen, isTrash, changed, gone, clear, reload }: BulkProps): JSX.Element {
  const [isTagging, setTagging] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const run = async (deed: () => Promise<unknown>) => {
    setBusy(true);
    await deed();
    setBusy(false);
  };
  const show = async (visibility: Visibility) => {
    const done = await changeEach(chosen, () => ({ visibility }), changed);
    if (done > 0) say(`${plural(done, "video")} changed to ${visibility}.`);
    clear();
  };
  return (
    <div class="bulk" role="region" aria-label="Selected videos">
      <strong>{plural(chosen.length, "video")} selected</strong>
      <div class="row-of-buttons">
        {isTrash ? (
          <Button icon="again" busy={isBusy} onClick={() => void run(() => restore(chosen, gone))}>
            Restore
          </Button>
        ) : (
          <>
            <Menu
              label="Change who may watch"
              text="Visibility"
              icon="eye"
              kind="plain"
              deeds={(["private", "unlisted", "public"] as const).map((it) => ({ label: VISIBILITY_SHORT[it].label, icon: VISIBILITY_SHORT[it].icon, run: () => void run(() => show(it)) }))}
            />
            <Button icon="plus" onClick={() => setTagging(true)}>
              Tag
            </Button>
            <Button kind="danger" icon="trash" busy={isBusy} onClick={() => void run(() => discard(chosen, gone, reload))}>
              Delete
            </Button>
          </>
        )}
        <Button kind="quiet" onClick={clear}>
          Clear selection
        </Button>
      </div>
      {isTagging && <AddTags chosen={chosen} changed={changed} end={() => setTagging(false)} />}
    </div>
  );
}

function AddTags({ chosen, changed, end }: { chosen: Asset[]; changed: (asset: Asset) => void; end: () => void }): JSX.Element {
  const [tags, setTags] = useState<string[]>([]);
  const [isBusy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    const done = await changeEach(chosen, (asset) => ({ tags: together(asset.tags ?? [], tags) }), changed);
    if (done > 0) say(`${plural(done, "video")} tagged.`);
    end();
  };
  const [first] = chosen;
  return (
    <Dialog title={chosen.length === 1 && first !== undefined ? `Tag “${titleOf(first)}”` : `Tag ${plural(chosen.length, "video")}`} onClose={end}>
      <Tags label="Tags to add" value={tags} onChange={setTags} />
      <footer>
        <Button onClick={end}>Cancel</Button>
        <Button kind="primary" busy={isBusy} disabled={tags.length === 0} onClick={() => void save()}>
          Add
        </Button>
      </footer>
    </Dialog>
  );
}

/** One tag each, however its letters are written; the first way stays. */
function together(before: string[], more: string[]): string[] {
  const all = new Map<string, string>();
  for (const tag of [...before, ...more]) if (!all.has(tag.toLowerCase())) all.set(tag.toLowerCase(), tag);
  return [...all.values()];
}

function Nothing({ isFiltered, isTrash, mayUpload }: { isFiltered: boolean; isTrash: boolean; mayUpload: boolean }): JSX.Element {
  if (isFiltered) {
    return (
      <Empty icon="search" title="Nothing fits">
        <Button onClick={() => rewrite({ q: undefined, state: undefined, visibility: undefined, tag: undefined })}>Show everything</Button>
      </Empty>
    );
  }
  if (isTrash) return <Empty icon="trash" title="The trash is empty" />;
  return (
    <Empty icon="library" title="No videos yet">
      {mayUpload ? (
        <>
          <p class="quiet">Drop one on the upload page. It plays here as soon as its first seconds are prepared.</p>
          <ButtonLink href="/upload" kind="primary" icon="upload">
            Upload a video
          </ButtonLink>
        </>
      ) : (
        <p class="quiet">Your account is for watching. Open a link that somebody gave you.</p>
      )}
    </Empty>
  );
}

/** Whether a media query holds. */
function useMatch(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const look = () => setHolds(list.matches);
    look();
    list.addEventListener("change", look);
    return () => list.removeEventListener("change", look);
  }, [query]);
  return holds;
}
