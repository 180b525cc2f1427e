package dispatch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tenancies show the node's place among those that share the store. There is nothing to show where it is alone or makes no attempts.
type tenancies struct{ dispatcher *Dispatcher }

var (
	leaseDesc = prometheus.NewDesc("letterhook_node_lease_seconds",
		"How long this node may still begin attempts unless its lease is renewed; 0: it has none.", nil, nil)
	epochDesc  = prometheus.NewDesc("letterhook_node_epoch", "Number of the lease of this node; it changes when the lease was lost.", nil, nil)
	ownedDesc  = prometheus.NewDesc("letterhook_node_lanes", "Endpoints whose attempts this node makes.", nil, nil)
	housesDesc = prometheus.NewDesc("letterhook_node_keeps_house", "1 while this node does what one node at a time does for all.", nil, nil)
	nodesDesc  = prometheus.NewDesc("letterhook_nodes", "Nodes that had a lease when this one renewed its own.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (tenancies) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{leaseDesc, epochDesc, ownedDesc, housesDesc, nodesDesc} {
		descs <- d
	}
}

// Collect implements [prometheus.Collector].
func (c tenancies) Collect(metrics chan<- prometheus.Metric) {
	if c.dispatcher.tenant == nil || c.dispatcher.cfg.WakeOnly {
		return
	}
	t := c.dispatcher.Tenancy()
	houses := 0.0
	if t.Houses {
		houses = 1
	}
	for desc, value := range map[*prometheus.Desc]float64{
		leaseDesc: t.Left.Round(time.Millisecond).Seconds(), epochDesc: float64(t.Epoch), ownedDesc: float64(t.Lanes), housesDesc: houses, nodesDesc: float64(t.Nodes),
	} {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}
