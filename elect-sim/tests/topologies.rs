//! Every set of directed link cuts in groups of three and four, with the table of outcomes.

use elect_sim::{Case, Detail, Fate, Link, NodeIndex};

/// How often the leader stayed, moved, and rightly was none, after the cuts.
fn table(nodes: usize, leaders: usize) -> [usize; 3] {
    let mut table = [0; 3];
    for cuts in 0..Case::sets(nodes) {
        for leader in NodeIndex::all(leaders) {
            let flip = usize::try_from(cuts % Case::links(nodes) as u64).ok();
            let case = Case { nodes, leader, cuts, flip };
            let (verdict, _) = case.play(Detail::Hash);
            assert_eq!(verdict.violation, None, "{}", case.describe());
            table[[Fate::Stayed, Fate::Moved, Fate::RightlyNone]
                .iter()
                .position(|&fate| fate == verdict.cut)
                .unwrap()] += 1;
        }
    }
    table
}

/// Sets of cuts that leave no node connected in both directions with a quorum.
fn without_a_hub(nodes: usize) -> usize {
    let hubless = |cuts: &u64| {
        let case = Case { nodes, leader: NodeIndex::default(), cuts: *cuts, flip: None };
        let cut = case.cut_links();
        NodeIndex::all(nodes).all(|node| {
            let is_cut = |from, to| cut.contains(&Link::new(from, to));
            let reached = NodeIndex::all(nodes).filter(|&peer| !is_cut(node, peer) && !is_cut(peer, node));
            reached.count() < nodes / 2 + 1
        })
    };
    (0..Case::sets(nodes)).filter(hubless).count()
}

#[test]
fn all_64_sets_of_three_nodes_under_each_leader() {
    let [stayed, moved, none] = table(3, 3);
    assert_eq!((stayed + moved + none, none), (64 * 3, without_a_hub(3) * 3));
    assert!(stayed >= 64 && moved >= 16, "{stayed} stayed, {moved} moved");
}

#[test]
fn all_4096_sets_of_four_nodes() {
    let [stayed, moved, none] = table(4, 1);
    assert_eq!((stayed + moved + none, none), (4_096, without_a_hub(4)));
    assert!(stayed >= 500 && moved >= 500, "{stayed} stayed, {moved} moved");
}
