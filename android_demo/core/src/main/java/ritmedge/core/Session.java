package ritmedge.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * One object of one photo: the loop of docs/session.md. After any error it is as it was before.
 *
 * Not for several threads at once; `TapQueue` keeps the edits of an app in order.
 */
public final class Session {
    /** Outputs of the network that undo may keep: so many bytes, but at least so many. */
    private static final int MOST_BYTES = 64 << 20, LEAST_STATES = 32;
    private final SessionGraphs graphs;
    private final Photo photo;
    private final boolean flip;
    /** The chain of states behind one list of clicks, one for each version. */
    private final ArrayList<List<State>> versions = new ArrayList<>();
    private int shown;
    /** Different states in all versions. */
    private int held;
    private boolean busy;

    /** @param flip average with the mirrored photo; each click then runs the network twice. */
    public Session(SessionGraphs graphs, Photo photo, boolean flip) {
        this.graphs = graphs;
        this.photo = photo;
        this.flip = flip;
        restart(graphs.start(photo));
    }

    /** What is shown. */
    public State state() {
        List<State> chain = versions.get(shown);
        return chain.get(chain.size() - 1);
    }

    public List<Click> clicks() {
        return state().clicks;
    }

    public boolean canUndo() {
        return shown > 0;
    }

    public boolean canRedo() {
        return shown + 1 < versions.size();
    }

    /** Forgets clicks, masks and history. */
    public void reset() {
        requireIdle();
        restart(graphs.start(photo));
    }

    /** Starts from an external mask of the photo's size; forgets clicks and history. */
    public void setMask(GivenMask mask) {
        if (!graphs.model.previousMask)
            throw new RitmEdgeException.Edit("This model takes no previous mask and cannot start from one.");
        if (mask.rows != photo.rows || mask.columns != photo.columns)
            throw new RitmEdgeException.Edit("The mask has " + mask.rows + " × " + mask.columns
                    + " pixels and the photo " + photo.rows + " × " + photo.columns
                    + ": pass a mask of the photo's size.");
        alone(() -> restart(graphs.begin(photo, mask)));
    }

    public void click(float row, float column, boolean positive) {
        List<Click> clicks = new ArrayList<>(clicks());
        clicks.add(new Click(row, column, positive));
        edit(clicks().size(), clicks);
    }

    /** Takes one click back and makes the later ones again, as if it had never been made. */
    public void remove(int index) {
        requireClick(index);
        List<Click> clicks = new ArrayList<>(clicks());
        clicks.remove(index);
        edit(index, clicks);
    }

    /** Puts one click elsewhere and makes the later ones again; it keeps its sign. */
    public void move(int index, float row, float column) {
        requireClick(index);
        List<Click> clicks = new ArrayList<>(clicks());
        clicks.set(index, clicks.get(index).at(row, column));
        edit(index, clicks);
    }

    /** Makes all of these clicks, instead of those there are; one step to undo. */
    public void replaceAll(List<Click> clicks) {
        edit(0, new ArrayList<>(clicks));
    }

    /** Takes the last click, removal or move back. Of a long session, the oldest versions are forgotten. */
    public void undo() {
        requireIdle();
        if (!canUndo()) throw new RitmEdgeException.Edit("There is no click to undo: tap on the photo first.");
        shown--;
    }

    /** Makes again what was undone last. */
    public void redo() {
        requireIdle();
        if (!canRedo()) throw new RitmEdgeException.Edit("There is nothing to redo: undo a click first.");
        shown++;
    }

    /**
     * The selection at photo positions, which may be fractions; beyond the photo it is 0.
     *
     * @param mask of as many rows and columns; every value is written.
     */
    public void maskAt(float[] rows, float[] columns, Mask mask) {
        if (mask.rows != rows.length || mask.columns != columns.length)
            throw new IllegalArgumentException("another mask size");
        State state = state();
        if (!state.clicks.isEmpty()) graphs.finish(state, rows, columns, mask);
        else if (state.given != null) state.given.at(rows, columns, graphs.model.threshold, mask);
        else for (int i = 0; i < mask.values.capacity(); i++) mask.values.put(i, (byte) 0);
    }

    /** The rectangle around the object of the last output, or null. */
    public float[] box() {
        return graphs.box(state());
    }

    /** Frees memory: what could be undone or redone is forgotten, what is shown stays. */
    public void forgetHistory() {
        requireIdle();
        List<State> chain = versions.get(shown);
        versions.clear();
        versions.add(chain);
        shown = 0;
        held = chain.size();
        graphs.trim();
    }

    /** Keeps the answers to the first `kept` clicks and makes the others again. */
    private void edit(int kept, List<Click> clicks) {
        int[] signs = new int[2];
        for (int i = 0; i < clicks.size(); i++) {
            Click each = clicks.get(i);
            if (!(each.row() >= 0 && each.row() < photo.rows && each.column() >= 0
                    && each.column() < photo.columns))
                throw new RitmEdgeException.Edit("Click " + (i + 1) + " at row " + each.row() + ", column "
                        + each.column() + " is outside the photo of " + photo.rows + " rows and "
                        + photo.columns + " columns: tap inside it.");
            if (++signs[each.positive() ? 1 : 0] > graphs.model.slots)
                throw new RitmEdgeException.Edit("The model takes " + graphs.model.slots
                        + (each.positive() ? " positive" : " negative")
                        + " clicks: remove or move one instead of adding another.");
        }
        alone(() -> {
            List<State> old = versions.get(shown), chain = new ArrayList<>(old.subList(0, kept + 1));
            State state = chain.get(0);
            try {
                for (int count = kept + 1; count <= clicks.size(); count++)
                    chain.add(graphs.answer(photo, chain.get(count - 1),
                            Collections.unmodifiableList(clicks.subList(0, count)), flip));
            } catch (RuntimeException error) {
                for (State each : chain.subList(kept + 1, chain.size())) graphs.give(each);
                throw error;
            }
            List<List<State>> dropped = versions.subList(shown + 1, versions.size());
            List<List<State>> forgotten = new ArrayList<>(dropped);
            dropped.clear();
            versions.add(chain);
            held += clicks.size() - kept;
            release(forgotten);
            int most = Math.max(LEAST_STATES, MOST_BYTES / state.output.capacity());
            while (held > most && versions.size() > 1) release(Collections.singletonList(versions.remove(0)));
            shown = versions.size() - 1;
        });
    }

    private void restart(State state) {
        List<List<State>> forgotten = new ArrayList<>(versions);
        versions.clear();
        versions.add(Collections.singletonList(state));
        shown = 0;
        held++;
        release(forgotten);
    }

    /** Gives back the states of these chains that no version has. */
    private void release(List<List<State>> chains) {
        if (chains.isEmpty()) return;
        Set<State> used = Collections.newSetFromMap(new IdentityHashMap<>());
        for (List<State> chain : versions) used.addAll(chain);
        for (List<State> chain : chains)
            for (State state : chain)
                if (used.add(state)) {
                    graphs.give(state);
                    held--;
                }
    }

    private void requireClick(int index) {
        if (index < 0 || index >= clicks().size())
            throw new RitmEdgeException.Edit("There is no click " + index + ": pass its place among the "
                    + clicks().size() + " clicks, from 0.");
    }

    private void requireIdle() {
        if (busy) throw new RitmEdgeException.Edit("An edit is still being answered: wait for it.");
    }

    private void alone(Runnable work) {
        requireIdle();
        busy = true;
        try {
            work.run();
        } finally {
            busy = false;
        }
    }
}
